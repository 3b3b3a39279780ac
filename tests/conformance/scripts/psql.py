"""psql itself: its meta-commands, its own copy, its errors; and the habits of other programs, as text."""

from dsl import *

script = area(__name__)


def psql(name: str, text: str, *arguments: str, parameters: str = "") -> None:
    script(name, Psql(text, ("-X", "-a", *arguments), parameters))


psql("describe", "\\d\n\\d item\n\\d+ line\n\\dT mood\n\\df add\n\\dn\n\\di\n\\ds\n\\dv\n\\dp item\n")
psql("lists", "\\du clerk\n\\encoding\n\\dconfig work_mem\n\\dx\n\\db\n\\dL\n")
psql("transactions",
       "begin;\ninsert into note values (1);\nsavepoint s;\nselect 1/0;\nrollback to s;\ncommit;\ntable note;\n")
psql("one transaction",
       "insert into note values (1);\ninsert into note values (2);\nselect count(*) from note;\n", "-1")
psql("stop at an error",
       "insert into note values (1);\nselec;\ninsert into note values (2);\n", "-v", "ON_ERROR_STOP=1")
psql("errors and where",
       "select\n  1,\n  nope\nfrom item;\n\\set VERBOSITY verbose\nselect 1/0;\n\\errverbose\n\\set SHOW_CONTEXT always\nselect fail('x');\n")
psql("copy in and out",
       "\\copy item to stdout\n\\copy note from stdin\na\nb\n\\.\ncopy note from stdin;\nc\n\\.\ntable note;\n\\copy (select 1) to stdout csv header\n\\copy nowhere to stdout\n")
psql("variables",
       "\\set n 2\nselect name from item where id = :n;\nselect :'n', :\"n\" from (select 1 as \"2\") x;\nselect 5 as five \\gset\n\\echo :five\n\\echo :SERVER_VERSION_NUM :ENCODING :LAST_ERROR_SQLSTATE :ROW_COUNT :ERROR\n")
psql("gexec, gdesc and crosstab",
       "select 'insert into note values (' || g || ')' from generate_series(1, 3) g \\gexec\ntable note \\gdesc\nselect id, name, price from item \\crosstabview\nselect 1 \\gx\n")
psql("fetching by parts",
       "\\set FETCH_COUNT 2\nselect generate_series(1, 7);\nselect 1/(4 - g) from generate_series(1, 6) g;\nselect 1;\n")
psql("autocommit off",
       "\\set AUTOCOMMIT off\ninsert into note values (1);\nrollback;\ninsert into note values (2);\ncommit;\ntable note;\n")
psql("rollback on error",
       "\\set ON_ERROR_ROLLBACK on\nbegin;\ninsert into note values (1);\nselec;\ninsert into note values (2);\ncommit;\ntable note;\n")
psql("several statements in one", "select 1\\; select 2;\ninsert into note values (1)\\; select 1/0;\ntable note;\n")
psql("listen", "listen news;\nselect 1 from pg_sleep(0) where false;\nunlisten *;\n")
psql("prompts",
       "\\set PROMPT1 '%/%R%# '\nselect 1;\n\\encoding LATIN1\nshow client_encoding;\n\\pset format csv\ntable item;\n\\timing off\n")
psql("reconnecting", "set work_mem = '5MB';\n\\connect -\nshow work_mem;\n")
psql("settings by PGOPTIONS",
       "show work_mem;\nshow application_name;\n", parameters="options='-c work_mem=5MB' application_name=till")
psql("a large object", "begin;\n\\lo_list\nselect lo_from_bytea(90006, 'x');\n\\lo_list\nrollback;\n")
psql("a function's source", "\\sf add\n\\ef nope\n")
psql("one command", "", "-c", "select 1", "-c", "insert into note values (1)", "-c", "table note")
psql("several commands in one -c",
       "", "-c", "insert into note values (1); table note; select 1/0", "-c", "table note")
psql("aligned, expanded, tuples only", "table item;\n", "-A", "-t", "-F", "|")
psql("a prepared statement",
       "prepare p(int) as select name from item where id = $1;\nexecute p(1);\nexecute p(2);\ndeallocate p;\nexecute p(1);\n")
psql("watch out for comments", "-- a comment\n/* another\n one */ select 1; select 2; -- end\nselect $$a;b$$;\n")
