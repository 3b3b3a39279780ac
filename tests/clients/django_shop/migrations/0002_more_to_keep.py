from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('django_shop', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='customer',
            name='picture',
            field=models.BinaryField(null=True),
        ),
        migrations.AlterField(
            model_name='order',
            name='total',
            field=models.DecimalField(decimal_places=2, max_digits=12),
        ),
        migrations.AddConstraint(
            model_name='order',
            constraint=models.CheckConstraint(check=models.Q(('total__gte', 0)), name='total_not_negative'),
        ),
    ]
