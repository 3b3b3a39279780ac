"""A small Django application: what its commands and its object mapper do is tested, in processes of their own."""
