"""What a shop might keep, with the kinds of columns that PostgreSQL has and others do not."""

import uuid

from django.contrib.postgres.fields import ArrayField, DateTimeRangeField
from django.contrib.postgres.indexes import GinIndex
from django.db import models


class Customer(models.Model):
    name = models.CharField(max_length=50, unique=True)
    tags = ArrayField(models.TextField(), default=list)
    profile = models.JSONField(default=dict)
    key = models.UUIDField(default=uuid.uuid4)
    since = models.DateTimeField(auto_now_add=True)
    visit = DateTimeRangeField(null=True)
    picture = models.BinaryField(null=True)

    class Meta:
        indexes = [GinIndex(fields=["profile"], name="customer_profile")]


class Order(models.Model):
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="orders")
    total = models.DecimalField(max_digits=12, decimal_places=2)

    class Meta:
        constraints = [models.CheckConstraint(check=models.Q(total__gte=0), name="total_not_negative")]
