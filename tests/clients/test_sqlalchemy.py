"""SQLAlchemy 1.4 over psycopg2 and asyncpg: its pool, its first questions on a connection, its reflection, its sessions."""

from __future__ import annotations

import asyncio
import datetime
import decimal
import threading
import uuid

import pytest
import sqlalchemy as sa
from sqlalchemy import exc, orm
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine


@pytest.fixture
def engine(login, table):
    made = sa.create_engine("postgresql+psycopg2://", future=True, connect_args=login.parameters())
    yield made
    made.dispose()


def models(table: str):
    """Two mapped classes on tables of this test's own."""
    base = orm.declarative_base()

    class Customer(base):
        __tablename__ = f"{table}_customer"
        id = sa.Column(sa.Integer, primary_key=True)
        name = sa.Column(sa.String(50), nullable=False, unique=True)
        tags = sa.Column(postgresql.ARRAY(sa.Text))
        profile = sa.Column(postgresql.JSONB)
        key = sa.Column(postgresql.UUID(as_uuid=True), default=uuid.uuid4)
        since = sa.Column(sa.DateTime(timezone=True), server_default=sa.func.now())
        orders = orm.relationship("Order", back_populates="customer", cascade="all, delete-orphan")

    class Order(base):
        __tablename__ = f"{table}_order"
        id = sa.Column(sa.BigInteger, primary_key=True)
        customer_id = sa.Column(sa.ForeignKey(Customer.id), nullable=False, index=True)
        total = sa.Column(sa.Numeric(12, 2))
        customer = orm.relationship(Customer, back_populates="orders")

    return base, Customer, Order


def test_log_in(method):
    engine = sa.create_engine("postgresql+psycopg2://", future=True, connect_args=method.parameters())
    with engine.connect() as connection:
        assert connection.scalar(sa.text("select current_user")) == method.user
    engine.dispose()


def test_orm(engine, table):
    base, customer, order = models(table)
    base.metadata.create_all(engine)
    base.metadata.create_all(engine)  # finds that all is there
    with orm.Session(engine) as session, session.begin():
        for index in range(20):
            made = customer(name=f"name {index}", tags=["a", f"b{index}"], profile={"n": index})
            made.orders = [order(total=decimal.Decimal("19.99")) for _ in range(3)]
            session.add(made)
    with orm.Session(engine) as session:
        found = session.scalars(sa.select(customer).options(orm.selectinload(customer.orders)).order_by(customer.id)).all()
        assert [len(one.orders) for one in found] == [3] * 20
        assert found[7].profile == {"n": 7} and found[7].tags == ["a", "b7"]
        assert found[7].since.tzinfo is not None
        assert session.scalar(sa.select(sa.func.sum(order.total))) == decimal.Decimal("1199.40")
        session.delete(found[0])
        session.commit()
        assert session.scalar(sa.select(sa.func.count()).select_from(order)) == 57
    base.metadata.drop_all(engine)


def test_errors_and_savepoints(engine, table):
    base, customer, _ = models(table)
    base.metadata.create_all(engine)
    with orm.Session(engine) as session:
        session.add(customer(name="one"))
        session.flush()
        with pytest.raises(exc.IntegrityError) as caught, session.begin_nested():
            session.add(customer(name="one"))
            session.flush()
        assert caught.value.orig.pgcode == "23505"
        session.add(customer(name="two"))
        session.commit()
        session.add(customer(name="two"))
        with pytest.raises(exc.IntegrityError):
            session.commit()
        session.rollback()
        assert session.scalar(sa.select(sa.func.count()).select_from(customer)) == 2


def test_reflection(engine, table):
    base, customer, order = models(table)
    base.metadata.create_all(engine)
    inspector = sa.inspect(engine)
    assert {customer.__tablename__, order.__tablename__} <= set(inspector.get_table_names())
    assert [key["referred_table"] for key in inspector.get_foreign_keys(order.__tablename__)] == [customer.__tablename__]
    assert inspector.get_pk_constraint(customer.__tablename__)["constrained_columns"] == ["id"]
    reflected = sa.Table(order.__tablename__, sa.MetaData(), autoload_with=engine)
    assert isinstance(reflected.c.total.type, sa.Numeric) and reflected.indexes


def test_isolation_levels_and_read_only(engine, table):
    base, customer, _ = models(table)
    base.metadata.create_all(engine)
    options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with engine.connect().execution_options(**options) as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(customer)) == 0
        assert connection.scalar(sa.text("show transaction_isolation")) == "repeatable read"
        with pytest.raises(exc.InternalError, match="read-only"):
            connection.execute(sa.insert(customer).values(name="no"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.insert(customer).values(name="yes"))
        connection.execute(sa.text(f"vacuum {customer.__tablename__}"))
    with engine.connect() as connection:  # the pool has reset what was set
        assert connection.scalar(sa.text("show transaction_read_only")) == "off"


def test_server_side_cursor(engine):
    with engine.connect().execution_options(stream_results=True, max_row_buffer=100) as connection:
        result = connection.execute(sa.text("select generate_series(1, 5000)"))
        assert [row[0] for row in result] == list(range(1, 5001))


def test_the_pool_hands_out_a_clean_connection(login, table):
    """What one user of the pool has set, opened and not finished is gone for the next: the pool rolls back."""
    engine = sa.create_engine("postgresql+psycopg2://", future=True, connect_args=login.parameters(), pool_size=1, max_overflow=0)
    for _ in range(5):
        with engine.connect() as connection:
            assert connection.scalar(sa.text("show work_mem")) == "4MB"
            connection.execute(sa.text("set work_mem to '7MB'"))  # in the transaction that is rolled back
            connection.execute(sa.text(f"create table {table} (v int)"))
            assert connection.scalar(sa.text("show work_mem")) == "7MB"
    engine.dispose()


def test_pool(narrow_login, table):
    engine = sa.create_engine(
        "postgresql+psycopg2://", future=True, connect_args=narrow_login.parameters(), pool_size=12, max_overflow=0,
        pool_pre_ping=True,
    )
    base, customer, _ = models(table)
    base.metadata.create_all(engine)
    failures: list[BaseException] = []

    def work(worker: int) -> None:
        try:
            for index in range(10):
                with orm.Session(engine) as session:
                    session.add(customer(name=f"{worker} {index}"))
                    session.commit() if index % 2 else session.rollback()
                with engine.connect() as connection:
                    asked = sa.text("select :worker * 1000 + :index")
                    assert connection.scalar(asked, {"worker": worker, "index": index}) == worker * 1000 + index
                with orm.Session(engine) as session:
                    session.add(customer(name=f"{worker} {index} again"))
                    session.commit()
        except BaseException as failure:  # noqa: BLE001
            failures.append(failure)

    workers = [threading.Thread(target=work, args=[worker]) for worker in range(12)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not failures
    with engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(customer)) == 12 * 15
    engine.dispose()


def test_asyncpg(login, table):
    """The dialect prepares every statement, and has asyncpg invalidate what changed."""
    base, customer, order = models(table)

    async def body() -> None:
        engine = create_async_engine(login.url("postgresql+asyncpg"), connect_args=login.asyncpg_options())
        async with engine.begin() as connection:
            await connection.run_sync(base.metadata.create_all)
        async with AsyncSession(engine) as session, session.begin():
            session.add_all([customer(name=f"name {index}", orders=[order(total=1)]) for index in range(20)])
        for _ in range(5):
            async with AsyncSession(engine) as session:
                found = (await session.scalars(sa.select(customer).options(orm.selectinload(customer.orders)))).all()
                assert sum(len(one.orders) for one in found) == 20
        async with AsyncSession(engine) as session:
            session.add(customer(name="name 1"))
            with pytest.raises(exc.IntegrityError):
                await session.commit()
            await session.rollback()
            when = datetime.datetime(2024, 2, 29, tzinfo=datetime.timezone.utc)
            await session.execute(sa.update(customer).where(customer.name == "name 1").values(since=when))
            await session.commit()
            assert (await session.scalar(sa.select(customer.since).where(customer.name == "name 1"))) == when
        async with engine.connect() as connection:
            rows = await connection.stream(sa.text("select generate_series(1, 1000)"))
            assert [row[0] async for row in rows] == list(range(1, 1001))
        await engine.dispose()

    asyncio.run(asyncio.wait_for(body(), 50))
