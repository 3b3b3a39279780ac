// pgx as an application would use it: its statement cache, batches, binary COPY and pool.
// See ../../programs.py for how this is called.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"reflect"
	"sort"
	"strings"
	"sync"
	"testing/iotest"
	"time"

	"github.com/jackc/pgconn"
	"github.com/jackc/pgtype"
	"github.com/jackc/pgx/v4"
	"github.com/jackc/pgx/v4/pgxpool"
)

type part func(ctx context.Context, c *pgx.Conn, table string)

// must ends the program unless err is nil.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

func same(got, wanted interface{}, what string) {
	if !reflect.DeepEqual(got, wanted) {
		panic(fmt.Sprintf("%s: got %.200v, wanted %.200v", what, got, wanted))
	}
}

func sqlstate(err error) string {
	var failure *pgconn.PgError
	if errors.As(err, &failure) {
		return failure.Code
	}
	return fmt.Sprintf("%v", err)
}

func fails(err error, code string, what string) { same(sqlstate(err), code, what) }

type querier interface {
	QueryRow(ctx context.Context, sql string, arguments ...interface{}) pgx.Row
}

// scalar is the one value that a statement returns.
func scalar(ctx context.Context, c querier, sql string, arguments ...interface{}) interface{} {
	var found interface{}
	must(c.QueryRow(ctx, sql, arguments...).Scan(&found))
	return found
}

func text(ctx context.Context, c querier, sql string, arguments ...interface{}) string {
	var found string
	must(c.QueryRow(ctx, sql, arguments...).Scan(&found))
	return found
}

func number(ctx context.Context, c querier, sql string, arguments ...interface{}) int {
	var found int
	must(c.QueryRow(ctx, sql, arguments...).Scan(&found))
	return found
}

func execute(ctx context.Context, c *pgx.Conn, sql string, arguments ...interface{}) pgconn.CommandTag {
	tag, err := c.Exec(ctx, sql, arguments...)
	must(err)
	return tag
}

func attempt(ctx context.Context, c *pgx.Conn, sql string, arguments ...interface{}) error {
	rows, err := c.Query(ctx, sql, arguments...)
	if err != nil {
		return err
	}
	for rows.Next() {
	}
	return rows.Err()
}

func connect(ctx context.Context, options string) *pgx.Conn {
	c, err := pgx.Connect(ctx, options)
	must(err)
	return c
}

func ints(ctx context.Context, c *pgx.Conn, sql string) []int {
	rows, err := c.Query(ctx, sql)
	must(err)
	found := []int{}
	for rows.Next() {
		var one int
		must(rows.Scan(&one))
		found = append(found, one)
	}
	must(rows.Err())
	return found
}

var parts = map[string]part{
	"connect": func(ctx context.Context, c *pgx.Conn, table string) {
		same(text(ctx, c, "select current_user::text"), os.Getenv("PGUSER"), "current_user")
		same(text(ctx, c, "select current_database()::text"), os.Getenv("PGDATABASE"), "current_database()")
	},

	"wrong_password": func(ctx context.Context, c *pgx.Conn, table string) {
		_, err := pgx.Connect(ctx, "password=wrong")
		fails(err, "28P01", "a wrong password")
	},

	// The driver prepares every text once and keeps up to 512 of them.
	"prepared": func(ctx context.Context, c *pgx.Conn, table string) {
		for i := 0; i < 30; i++ {
			same(number(ctx, c, "select $1::int * 2", i), 2*i, "twice")
		}
		small := connect(ctx, "statement_cache_capacity=5")
		for i := 0; i < 40; i++ {
			same(number(ctx, small, fmt.Sprintf("select %d + $1::int", i%8), i), i%8+i, "more texts than are kept")
		}
		_, err := c.Prepare(ctx, "named", "select $1::text || '!'")
		must(err)
		same(text(ctx, c, "named", "go"), "go!", "named")
		must(c.Deallocate(ctx, "named"))
		described := connect(ctx, "statement_cache_mode=describe")
		for i := 0; i < 10; i++ {
			same(number(ctx, described, "select $1::int * 3", i), 3*i, "described once, sent unnamed")
		}
	},

	"simple_protocol": func(ctx context.Context, c *pgx.Conn, table string) {
		simple, err := pgx.ParseConfig("")
		must(err)
		simple.PreferSimpleProtocol = true
		s, err := pgx.ConnectConfig(ctx, simple)
		must(err)
		for i := 0; i < 10; i++ {
			same(number(ctx, s, "select $1::int * 2", i), 2*i, "twice")
		}
		same(text(ctx, s, "select $1", `a'b\c`), `a'b\c`, "quoting")
	},

	"transactions": func(ctx context.Context, c *pgx.Conn, table string) {
		execute(ctx, c, "create table "+table+" (v int)")
		tx, err := c.Begin(ctx)
		must(err)
		_, err = tx.Exec(ctx, "insert into "+table+" values ($1)", 1)
		must(err)
		point, err := tx.Begin(ctx)
		must(err)
		_, err = point.Exec(ctx, "insert into "+table+" values ($1)", 2)
		must(err)
		must(point.Rollback(ctx))
		must(tx.Commit(ctx))
		tx, err = c.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.Serializable})
		must(err)
		_, err = tx.Exec(ctx, "delete from "+table)
		must(err)
		must(tx.Rollback(ctx))
		same(ints(ctx, c, "select v from "+table), []int{1}, "rows")
	},

	"read_only": func(ctx context.Context, c *pgx.Conn, table string) {
		execute(ctx, c, "create table "+table+" (v int)")
		tx, err := c.BeginTx(ctx, pgx.TxOptions{AccessMode: pgx.ReadOnly, IsoLevel: pgx.RepeatableRead})
		must(err)
		same(number(ctx, tx, "select count(*) from "+table), 0, "count")
		_, err = tx.Exec(ctx, "insert into "+table+" values (1)")
		fails(err, "25006", "a write")
		must(tx.Rollback(ctx))
		execute(ctx, c, "insert into "+table+" values (1)")
	},

	"copy": func(ctx context.Context, c *pgx.Conn, table string) {
		execute(ctx, c, "create table "+table+" (a int, b text, c timestamptz)")
		when := time.Date(2024, 2, 29, 12, 34, 56, 0, time.UTC)
		source := pgx.CopyFromSlice(20000, func(i int) ([]interface{}, error) {
			return []interface{}{i, fmt.Sprintf("text %d", i), when}, nil
		})
		copied, err := c.CopyFrom(ctx, pgx.Identifier{table}, []string{"a", "b", "c"}, source)
		must(err)
		same(copied, int64(20000), "rows copied")
		var out bytes.Buffer
		_, err = c.PgConn().CopyTo(ctx, &out, "copy (select a, b from "+table+" order by a) to stdout")
		must(err)
		same(strings.Count(out.String(), "\n"), 20000, "rows that came out")
		same(strings.HasSuffix(out.String(), "19999\ttext 19999\n"), true, "the last row")
		_, err = c.PgConn().CopyFrom(ctx, strings.NewReader("no number\tx\n"), "copy "+table+" (a, b) from stdin")
		fails(err, "22P02", "bad data")
		failing := io.MultiReader(strings.NewReader("1\tx\n"), iotest.ErrReader(io.ErrUnexpectedEOF))
		_, err = c.PgConn().CopyFrom(ctx, failing, "copy "+table+" (a, b) from stdin")
		fails(err, "57014", "a source that fails")
		same(number(ctx, c, "select count(*) from "+table), 20000, "count")
	},

	"cancel": func(ctx context.Context, c *pgx.Conn, table string) {
		failed := make(chan error)
		go func() { failed <- attempt(ctx, c, "select pg_sleep(40)") }()
		for {
			select {
			case err := <-failed:
				fails(err, "57014", "cancelled")
				same(number(ctx, c, "select 1"), 1, "afterwards")
				return
			case <-time.After(100 * time.Millisecond):
				must(c.PgConn().CancelRequest(ctx))
			}
		}
	},

	"listen": func(ctx context.Context, c *pgx.Conn, table string) {
		other := connect(ctx, "")
		execute(ctx, c, "listen "+table)
		for i := 0; i < 3; i++ {
			execute(ctx, other, "select pg_notify($1, $2)", table, fmt.Sprint("number ", i))
			limited, stop := context.WithTimeout(ctx, 10*time.Second)
			heard, err := c.WaitForNotification(limited)
			stop()
			must(err)
			same(heard.Channel+" "+heard.Payload, fmt.Sprint(table, " number ", i), "notification")
		}
		execute(ctx, c, "unlisten *")
		same(number(ctx, c, "select count(*) from pg_listening_channels()"), 0, "channels")
	},

	"batch": func(ctx context.Context, c *pgx.Conn, table string) {
		execute(ctx, c, "create table "+table+" (v int primary key)")
		batch := &pgx.Batch{}
		for i := 0; i < 100; i++ {
			batch.Queue("insert into "+table+" values ($1) returning v", i)
			batch.Queue("select count(*)::int from "+table+" where v < $1", 1000)
		}
		results := c.SendBatch(ctx, batch)
		for i := 0; i < 100; i++ {
			var found int
			must(results.QueryRow().Scan(&found))
			same(found, i, "inserted")
			must(results.QueryRow().Scan(&found))
			same(found, i+1, "count")
		}
		must(results.Close())
		bad := &pgx.Batch{}
		bad.Queue("insert into "+table+" values ($1)", 1000)
		bad.Queue("insert into "+table+" values ($1)", 1)
		bad.Queue("insert into "+table+" values ($1)", 1001)
		results = c.SendBatch(ctx, bad)
		_, err := results.Exec()
		must(err)
		_, err = results.Exec()
		fails(err, "23505", "twice the same key")
		_, err = results.Exec()
		same(err != nil, true, "after the error")
		results.Close()
		same(number(ctx, c, "select count(*) from "+table), 100, "one implicit transaction")
	},

	"binary": func(ctx context.Context, c *pgx.Conn, table string) {
		rows, err := c.Query(ctx, "select $1::int8, $2::bytea, $3::float8, $4::text", int64(1)<<40, []byte{0, 255}, 0.1, nil)
		must(err)
		same(rows.Next(), true, "a row")
		same(rows.FieldDescriptions()[0].Format, int16(pgx.BinaryFormatCode), "the format")
		var a int64
		var b []byte
		var f float64
		var n *string
		must(rows.Scan(&a, &b, &f, &n))
		same([]interface{}{a, b, f, n == nil}, []interface{}{int64(1) << 40, []byte{0, 255}, 0.1, true}, "values")
		rows.Close()
	},

	"arrays": func(ctx context.Context, c *pgx.Conn, table string) {
		var numbers []int32
		var texts []string
		must(c.QueryRow(ctx, "select $1::int[], $2::text[]", []int32{1, 2, 3}, []string{"a", `b "c"`, "{}"}).Scan(&numbers, &texts))
		same(numbers, []int32{1, 2, 3}, "int[]")
		same(texts, []string{"a", `b "c"`, "{}"}, "text[]")
		same(number(ctx, c, "select count(*) from generate_series(1, 10) i where i = any($1)", []int{2, 4, 99}), 2, "= any")
	},

	"types": func(ctx context.Context, c *pgx.Conn, table string) {
		when := time.Date(2024, 2, 29, 12, 34, 56, 789012000, time.UTC)
		same(scalar(ctx, c, "select $1::timestamptz", when).(time.Time).UTC(), when, "timestamptz")
		var exact pgtype.Numeric
		must(c.QueryRow(ctx, "select $1::numeric", "12345678901234567890.5").Scan(&exact))
		want, _ := new(big.Int).SetString("123456789012345678905", 10)
		same(exact.Int.Cmp(want) == 0 && exact.Exp == -1, true, "numeric")
		same(scalar(ctx, c, "select $1::jsonb", map[string]interface{}{"a": []interface{}{1.0, nil, "ü"}}),
			map[string]interface{}{"a": []interface{}{1.0, nil, "ü"}}, "jsonb")
		same(text(ctx, c, "select $1::uuid::text", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"), "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "uuid")
		same(scalar(ctx, c, "select $1::int", nil), nil, "NULL")
		same(text(ctx, c, "select $1::text", "ü 漢 😀"), "ü 漢 😀", "text")
		same(scalar(ctx, c, "select 'infinity'::timestamptz"), pgtype.Infinity, "infinity")
		var address net.IPNet
		must(c.QueryRow(ctx, "select '10.1.2.0/24'::cidr").Scan(&address))
		same(address.String(), "10.1.2.0/24", "cidr")
	},

	"large": func(ctx context.Context, c *pgx.Conn, table string) {
		data := strings.Repeat("0123456789", 1000000)
		same(text(ctx, c, "select $1::text", data) == data, true, "10 MB there and back")
		execute(ctx, c, "create table "+table+" (v bytea)")
		execute(ctx, c, "insert into "+table+" values ($1)", []byte(data))
		same(bytes.Equal(scalar(ctx, c, "select v from "+table).([]byte), []byte(data)), true, "bytea")
	},

	"errors": func(ctx context.Context, c *pgx.Conn, table string) {
		fails(attempt(ctx, c, "select 1/$1::int", 0), "22012", "division")
		fails(attempt(ctx, c, "no such statement"), "42601", "syntax")
		fails(attempt(ctx, c, "select * from "+table), "42P01", "no table")
		fails(attempt(ctx, c, "select $1::text::int", "x"), "22P02", "no number")
		execute(ctx, c, "create table "+table+" (v int constraint "+table+"_key unique)")
		same(len(ints(ctx, c, "select * from "+table)), 0, "the table is there now")
		execute(ctx, c, "insert into "+table+" values (1)")
		_, err := c.Exec(ctx, "insert into "+table+" values ($1)", 1)
		fails(err, "23505", "unique")
		var failure *pgconn.PgError
		errors.As(err, &failure)
		same(failure.ConstraintName+" "+failure.TableName, table+"_key "+table, "names in the error")
		same(number(ctx, c, "select 1"), 1, "afterwards")
	},

	"errors_in_transaction": func(ctx context.Context, c *pgx.Conn, table string) {
		execute(ctx, c, "create table "+table+" (v int)")
		tx, err := c.Begin(ctx)
		must(err)
		_, err = tx.Exec(ctx, "insert into "+table+" values ($1)", 1)
		must(err)
		_, err = tx.Exec(ctx, "select 1/0")
		fails(err, "22012", "division")
		_, err = tx.Exec(ctx, "select 1")
		fails(err, "25P02", "the failed transaction")
		same(tx.Commit(ctx), pgx.ErrTxCommitRollback, "commit")
		same(number(ctx, c, "select count(*) from "+table), 0, "count")
	},

	"settings": func(ctx context.Context, c *pgx.Conn, table string) {
		other := connect(ctx, "application_name=other search_path=pg_catalog statement_timeout=7000")
		execute(ctx, c, "set work_mem to '7MB'")
		execute(ctx, c, "set timezone to 'Asia/Tokyo'")
		same(c.PgConn().ParameterStatus("TimeZone"), "Asia/Tokyo", "the reported time zone")
		for i := 0; i < 20; i++ {
			same(text(ctx, c, "show work_mem"), "7MB", "work_mem of the first")
			same(text(ctx, other, "show work_mem"), "4MB", "work_mem of the second")
			same(text(ctx, other, "show search_path"), "pg_catalog", "search_path of the second")
			same(text(ctx, other, "select current_setting('statement_timeout')"), "7s", "statement_timeout of the second")
		}
		execute(ctx, c, "discard all")
		same(c.PgConn().ParameterStatus("TimeZone"), "UTC", "after DISCARD ALL")
	},

	"large_object": func(ctx context.Context, c *pgx.Conn, table string) {
		tx, err := c.Begin(ctx)
		must(err)
		objects := tx.LargeObjects()
		id, err := objects.Create(ctx, 0)
		must(err)
		object, err := objects.Open(ctx, id, pgx.LargeObjectModeRead|pgx.LargeObjectModeWrite)
		must(err)
		data := bytes.Repeat([]byte("large"), 100000)
		_, err = object.Write(data)
		must(err)
		_, err = object.Seek(0, io.SeekStart)
		must(err)
		back := make([]byte, len(data))
		_, err = io.ReadFull(object, back)
		must(err)
		same(bytes.Equal(back, data), true, "what was read")
		must(objects.Unlink(ctx, id))
		must(tx.Commit(ctx))
	},

	"pool": func(ctx context.Context, c *pgx.Conn, table string) {
		must(c.Close(ctx))
		pool, err := pgxpool.Connect(ctx, "pool_max_conns=12")
		must(err)
		defer pool.Close()
		_, err = pool.Exec(ctx, "create table "+table+" (worker int, v int)")
		must(err)
		var workers sync.WaitGroup
		failures := make(chan interface{}, 12)
		for worker := 0; worker < 12; worker++ {
			workers.Add(1)
			go func(worker int) {
				defer workers.Done()
				defer func() {
					if problem := recover(); problem != nil {
						failures <- problem
					}
				}()
				for i := 0; i < 20; i++ {
					wanted := errors.New("no")
					err := pool.BeginFunc(ctx, func(tx pgx.Tx) error {
						_, err := tx.Exec(ctx, "insert into "+table+" values ($1, $2)", worker, i)
						if err == nil && i%4 == 3 {
							return wanted
						}
						return err
					})
					if err != wanted {
						must(err)
					}
					same(number(ctx, pool, "select $1::int * 1000 + $2::int", worker, i), worker*1000+i, "own answer")
				}
			}(worker)
		}
		workers.Wait()
		select {
		case problem := <-failures:
			panic(problem)
		default:
		}
		// In a transaction, and thus to the primary, which has what the others have written.
		must(pool.BeginFunc(ctx, func(tx pgx.Tx) error {
			same(number(ctx, tx, "select count(*) from "+table), 12*15, "rows")
			return nil
		}))
	},
}

func main() {
	if os.Args[1] == "--list" {
		names := []string{}
		for name := range parts {
			names = append(names, name)
		}
		sort.Strings(names)
		fmt.Println(strings.Join(names, "\n"))
		return
	}
	defer func() {
		if problem := recover(); problem != nil {
			fmt.Fprintln(os.Stderr, problem)
			os.Exit(1)
		}
	}()
	ctx := context.Background()
	var c *pgx.Conn
	if os.Args[1] != "wrong_password" {
		c = connect(ctx, "")
	}
	parts[os.Args[1]](ctx, c, os.Args[2])
}
