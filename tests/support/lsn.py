"""Positions in the WAL as texts and as numbers."""


def lsn(text: str) -> int:
    """Of PostgreSQL's form "16/B374D848" (manual: pg_lsn Type)."""
    high, low = text.split("/")
    return int(high, 16) << 32 | int(low, 16)
