"""Django's object mapper and commands as an application would use them. See programs.py for how this is called."""

from __future__ import annotations

import datetime
import decimal
import io
import os
import sys
import threading
import traceback
from typing import Any, Callable

os.environ["DJANGO_SETTINGS_MODULE"] = "django_shop.settings"


def same(got: Any, wanted: Any) -> None:
    if got != wanted:
        raise AssertionError(f"got {got!r}, wanted {wanted!r}")


def fails(error: type[BaseException], sqlstate: str, action: Callable[[], Any]) -> None:
    try:
        action()
    except error as caught:
        same(caught.__cause__.pgcode, sqlstate)
    else:
        raise AssertionError(f"no {error.__name__}")


def command(*words: str, **options: Any) -> str:
    from django.core.management import call_command

    out = io.StringIO()
    call_command(*words, stdout=out, **options)
    return out.getvalue()


def connect(_: str) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("select current_user, current_setting('timezone')")
        same(cursor.fetchone(), (os.environ["PGUSER"], "UTC"))


def wrong_password(_: str) -> None:
    from django.db import OperationalError, connection

    connection.settings_dict["PASSWORD"] = "wrong"
    try:
        connection.ensure_connection()
    except OperationalError as error:
        same("password authentication failed" in str(error), True)
    else:
        raise AssertionError("a wrong password was accepted")


def migrate(_: str) -> None:
    """There and back: schema changes in transactions, some of which ask for what the one before has made."""
    command("migrate", verbosity=0)
    same("[ ]" in command("showmigrations"), False)
    same("No changes" in command("makemigrations", "--check", "--dry-run"), True)
    same("CREATE TABLE" in command("sqlmigrate", "django_shop", "0001"), True)
    command("migrate", "django_shop", "0001", verbosity=0)
    command("migrate", verbosity=0)
    command("migrate", "django_shop", "zero", verbosity=0)
    command("migrate", verbosity=0)


def introspection(_: str) -> None:
    from django.db import connection

    same("class DjangoShopCustomer(" in command("inspectdb"), True)
    with connection.cursor() as cursor:
        constraints = connection.introspection.get_constraints(cursor, "django_shop_order")
        same(constraints["total_not_negative"]["check"], True)
        same("django_shop_order" in connection.introspection.table_names(cursor), True)
    same("django_shop" in command("sqlflush"), True)
    command("check", databases=["default"])


def orm(name: str) -> None:
    from django.db.models import Count, F, Sum
    from django_shop.models import Customer, Order

    Customer.objects.bulk_create(Customer(name=f"{name} {n}", tags=["a", f"b{n}"], profile={"n": n}) for n in range(30))
    ours = Customer.objects.filter(name__startswith=f"{name} ")
    Order.objects.bulk_create(Order(customer=one, total=decimal.Decimal("19.99")) for one in ours for _ in range(3))
    same(ours.count(), 30)
    same(ours.filter(tags__contains=["b7"]).get().profile, {"n": 7})
    same(ours.filter(profile__n=7).get().tags, ["a", "b7"])
    same(Order.objects.filter(customer__in=ours).aggregate(Sum("total")), {"total__sum": decimal.Decimal("1799.10")})
    same({one.made for one in ours.annotate(made=Count("orders"))}, {3})
    same(Order.objects.filter(customer__in=ours).update(total=F("total") + 1), 90)
    same(len(ours.prefetch_related("orders")[5].orders.all()), 3)
    same(Order.objects.select_related("customer").filter(customer__in=ours)[0].customer.name.startswith(name), True)
    when = datetime.datetime(2024, 2, 29, 12, 34, 56, 789012, tzinfo=datetime.timezone.utc)
    one, made = Customer.objects.get_or_create(name=f"{name} 1", defaults={"profile": {}})
    same(made, False)
    one.visit, one.picture = (when, None), os.urandom(3_000_000)
    one.save()
    again = Customer.objects.get(pk=one.pk)
    same((again.visit.lower, bytes(again.picture) == one.picture, again.key), (when, True, one.key))
    other, made = Customer.objects.update_or_create(name=f"{name} new", defaults={"tags": ["x"]})
    same((made, other.tags), (True, ["x"]))
    Customer.objects.bulk_update([one, other], ["tags"])
    same(ours.delete()[0], 31 + 90)


def transactions(name: str) -> None:
    from django.db import transaction
    from django_shop.models import Customer

    heard = []
    with transaction.atomic():
        Customer.objects.create(name=f"{name} 1")
        transaction.on_commit(lambda: heard.append("committed"))
        try:
            with transaction.atomic():
                Customer.objects.create(name=f"{name} 2")
                raise RuntimeError
        except RuntimeError:
            pass
        same(Customer.objects.select_for_update().get(name=f"{name} 1").name, f"{name} 1")
        same(heard, [])
    same(heard, ["committed"])
    same(list(Customer.objects.filter(name__startswith=name).values_list("name", flat=True)), [f"{name} 1"])


def errors(name: str) -> None:
    from django.db import DataError, IntegrityError, ProgrammingError, connection
    from django_shop.models import Customer, Order

    one = Customer.objects.create(name=name)
    fails(IntegrityError, "23505", lambda: Customer.objects.create(name=name))
    fails(IntegrityError, "23514", lambda: Order.objects.create(customer=one, total=-1))
    fails(DataError, "22001", lambda: Customer.objects.create(name="x" * 60))
    with connection.cursor() as cursor:
        fails(ProgrammingError, "42P01", lambda: cursor.execute(f"select * from {name}"))
    same(Customer.objects.filter(name=name).count(), 1)


def errors_in_transaction(name: str) -> None:
    from django.db import IntegrityError, transaction
    from django_shop.models import Customer

    Customer.objects.create(name=name)
    with transaction.atomic():
        Customer.objects.create(name=f"{name} 2")
        try:
            with transaction.atomic():
                Customer.objects.create(name=name)
        except IntegrityError:
            pass
        same(Customer.objects.filter(name__startswith=name).count(), 2)
    fails(IntegrityError, "23505", lambda: in_transaction(lambda: Customer.objects.create(name=name)))
    same(Customer.objects.filter(name__startswith=name).count(), 2)


def in_transaction(action: Callable[[], Any]) -> None:
    from django.db import transaction

    with transaction.atomic():
        action()


def iterator(name: str) -> None:
    """Server-side cursors: WITH HOLD outside of a transaction, plain within."""
    from django.db import transaction
    from django_shop.models import Customer

    Customer.objects.bulk_create(Customer(name=f"{name} {n}") for n in range(1000))
    ours = Customer.objects.filter(name__startswith=f"{name} ").order_by("id")
    same(len(list(ours.iterator(chunk_size=100))), 1000)
    with transaction.atomic():
        same(len(list(ours.iterator(chunk_size=100))), 1000)
    half = ours.iterator(chunk_size=100)
    same(next(half).name, f"{name} 0")
    same(ours.count(), 1000)
    same(next(half).name, f"{name} 1")


def raw(name: str) -> None:
    from django.db import connection
    from django_shop.models import Customer

    Customer.objects.create(name=name)
    same([one.name for one in Customer.objects.raw("select * from django_shop_customer where name = %s", [name])], [name])
    with connection.cursor() as cursor:
        cursor.execute("set local statement_timeout to '5s'; select 1")
        cursor.executemany("insert into django_shop_customer (name, tags, profile, key, since) values "
                           "(%s, '{}', '{}', gen_random_uuid(), now())", [(f"{name} {n}",) for n in range(5)])
        cursor.copy_expert("copy (select count(*) from django_shop_customer) to stdout", io.StringIO())


def requests(name: str) -> None:
    """Threads with a lasting connection each, as a server of requests has them; sessions kept in the database."""
    from django.contrib.sessions.backends.db import SessionStore
    from django.core.signals import request_finished, request_started
    from django.db import connection
    from django_shop.models import Customer

    failures = []

    def serve(worker: int) -> None:
        try:
            for index in range(10):
                request_started.send(None)
                session = SessionStore()
                session["worker"] = worker
                session.create()
                Customer.objects.create(name=f"{name} {worker} {index}")
                in_transaction(lambda: Customer.objects.filter(name=f"{name} {worker} {index}").update(tags=["seen"]))
                same(SessionStore(session_key=session.session_key)["worker"], worker)
                request_finished.send(None)
        except BaseException:  # noqa: BLE001
            failures.append(traceback.format_exc())
        finally:
            connection.close()

    workers = [threading.Thread(target=serve, args=[worker]) for worker in range(12)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    same(failures, [])
    # In a transaction, and thus on the primary, which has what the others have written.
    in_transaction(lambda: same(Customer.objects.filter(name__startswith=f"{name} ", tags=["seen"]).count(), 120))


WITHOUT_TABLES = (connect, wrong_password, migrate)
PARTS = {
    part.__name__: part
    for part in (*WITHOUT_TABLES, introspection, orm, transactions, errors, errors_in_transaction, iterator, raw, requests)
}


def main() -> int:
    if sys.argv[1] == "--list":
        print(*PARTS, sep="\n")
        return 0
    import django

    django.setup()
    part = PARTS[sys.argv[1]]
    if part not in WITHOUT_TABLES:
        command("migrate", verbosity=0)
    part(sys.argv[2])
    return 0


if __name__ == "__main__":
    sys.exit(main())
