// lib/pq below database/sql, which keeps the connections and decides which of them a statement gets.
// See ../../programs.py for how this is called.
package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"reflect"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/lib/pq"
)

type part func(ctx context.Context, db *sql.DB, table string)

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

func fails(err error, code string, what string) *pq.Error {
	var failure *pq.Error
	if !errors.As(err, &failure) {
		panic(fmt.Sprintf("%s: got %v, wanted the error %s", what, err, code))
	}
	same(string(failure.Code), code, what)
	return failure
}

// session is what a pool, a connection and a transaction have in common.
type session interface {
	ExecContext(ctx context.Context, query string, arguments ...interface{}) (sql.Result, error)
	QueryContext(ctx context.Context, query string, arguments ...interface{}) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, arguments ...interface{}) *sql.Row
}

func text(ctx context.Context, s session, query string, arguments ...interface{}) string {
	var found string
	must(s.QueryRowContext(ctx, query, arguments...).Scan(&found))
	return found
}

func number(ctx context.Context, s session, query string, arguments ...interface{}) int {
	var found int
	must(s.QueryRowContext(ctx, query, arguments...).Scan(&found))
	return found
}

func execute(ctx context.Context, s session, query string, arguments ...interface{}) {
	_, err := s.ExecContext(ctx, query, arguments...)
	must(err)
}

func attempt(ctx context.Context, s session, query string, arguments ...interface{}) error {
	rows, err := s.QueryContext(ctx, query, arguments...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
	}
	return rows.Err()
}

func open(options string) *sql.DB {
	db, err := sql.Open("postgres", options)
	must(err)
	return db
}

// single is one connection of the pool.
func single(ctx context.Context, db *sql.DB) *sql.Conn {
	c, err := db.Conn(ctx)
	must(err)
	return c
}

var parts = map[string]part{
	"connect": func(ctx context.Context, db *sql.DB, table string) {
		same(text(ctx, db, "select current_user"), os.Getenv("PGUSER"), "current_user")
		same(text(ctx, db, "select current_database()"), os.Getenv("PGDATABASE"), "current_database()")
	},

	"wrong_password": func(ctx context.Context, db *sql.DB, table string) {
		fails(open("password=wrong").PingContext(ctx), "28P01", "a wrong password")
	},

	// The driver prepares unnamed for each query with parameters, in a round trip of its own, and named for Prepare.
	"prepared": func(ctx context.Context, db *sql.DB, table string) {
		statement, err := db.PrepareContext(ctx, "select $1::int * 2")
		must(err)
		for i := 0; i < 30; i++ {
			var found int
			must(statement.QueryRowContext(ctx, i).Scan(&found))
			same(found, 2*i, "prepared")
			same(number(ctx, db, "select $1::int * 3", i), 3*i, "not prepared")
		}
		must(statement.Close())
	},

	"transactions": func(ctx context.Context, db *sql.DB, table string) {
		execute(ctx, db, "create table "+table+" (v int)")
		tx, err := db.BeginTx(ctx, nil)
		must(err)
		execute(ctx, tx, "insert into "+table+" values ($1)", 1)
		execute(ctx, tx, "savepoint one")
		execute(ctx, tx, "insert into "+table+" values ($1)", 2)
		execute(ctx, tx, "rollback to one")
		must(tx.Commit())
		tx, err = db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelSerializable})
		must(err)
		same(text(ctx, tx, "show transaction_isolation"), "serializable", "isolation")
		execute(ctx, tx, "delete from "+table)
		must(tx.Rollback())
		same(number(ctx, db, "select sum(v) from "+table), 1, "rows")
	},

	"read_only": func(ctx context.Context, db *sql.DB, table string) {
		execute(ctx, db, "create table "+table+" (v int)")
		tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
		must(err)
		same(number(ctx, tx, "select count(*) from "+table), 0, "count")
		_, err = tx.ExecContext(ctx, "insert into "+table+" values (1)")
		fails(err, "25006", "a write")
		must(tx.Rollback())
		execute(ctx, db, "insert into "+table+" values (1)")
	},

	"copy": func(ctx context.Context, db *sql.DB, table string) {
		execute(ctx, db, "create table "+table+" (a int, b text)")
		tx, err := db.BeginTx(ctx, nil)
		must(err)
		statement, err := tx.PrepareContext(ctx, pq.CopyIn(table, "a", "b"))
		must(err)
		for i := 0; i < 20000; i++ {
			_, err = statement.ExecContext(ctx, i, fmt.Sprint("text\t", i))
			must(err)
		}
		_, err = statement.ExecContext(ctx)
		must(err)
		must(statement.Close())
		must(tx.Commit())
		same(number(ctx, db, "select count(*) from "+table+" where b = 'text' || chr(9) || a"), 20000, "count")
	},

	"cancel": func(ctx context.Context, db *sql.DB, table string) {
		limited, stop := context.WithTimeout(ctx, 500*time.Millisecond)
		defer stop()
		c := single(ctx, db)
		began := time.Now()
		fails(attempt(limited, c, "select pg_sleep(40)"), "57014", "cancelled")
		same(time.Since(began) < 20*time.Second, true, "cancelled in time")
		c.Close() // which the driver does not use any more
		same(number(ctx, db, "select 1"), 1, "afterwards")
	},

	"listen": func(ctx context.Context, db *sql.DB, table string) {
		listener := pq.NewListener("", time.Second, time.Minute, func(event pq.ListenerEventType, err error) { must(err) })
		defer listener.Close()
		must(listener.Listen(table))
		for i := 0; i < 3; i++ {
			execute(ctx, db, "select pg_notify($1, $2)", table, fmt.Sprint("number ", i))
			select {
			case heard := <-listener.Notify:
				same(heard.Channel+" "+heard.Extra, fmt.Sprint(table, " number ", i), "notification")
			case <-time.After(10 * time.Second):
				panic("no notification within 10 s")
			}
		}
		must(listener.Ping())
		must(listener.UnlistenAll())
	},

	// What the driver sends in one message, with several results.
	"batch": func(ctx context.Context, db *sql.DB, table string) {
		rows, err := db.QueryContext(ctx, "create table "+table+" (v int); insert into "+table+" values (1), (2);"+
			"select v from "+table+" order by v; select 'end'")
		must(err)
		found := []string{}
		for more := true; more; more = rows.NextResultSet() {
			for rows.Next() {
				var one string
				must(rows.Scan(&one))
				found = append(found, one)
			}
		}
		must(rows.Err())
		same(found, []string{"1", "2", "end"}, "results")
	},

	"binary": func(ctx context.Context, db *sql.DB, table string) {
		binary := open("binary_parameters=yes")
		var a int64
		var b []byte
		for i := 0; i < 10; i++ {
			must(binary.QueryRowContext(ctx, "select $1::int8, $2::bytea", int64(1)<<40, []byte{0, 255}).Scan(&a, &b))
			same(a, int64(1)<<40, "int8")
			same(b, []byte{0, 255}, "bytea")
		}
	},

	"arrays": func(ctx context.Context, db *sql.DB, table string) {
		var numbers []int64
		var texts []string
		must(db.QueryRowContext(ctx, "select $1::int[], $2::text[]", pq.Array([]int64{1, 2, 3}), pq.Array([]string{"a", `b "c"`, "{}"})).
			Scan(pq.Array(&numbers), pq.Array(&texts)))
		same(numbers, []int64{1, 2, 3}, "int[]")
		same(texts, []string{"a", `b "c"`, "{}"}, "text[]")
		same(number(ctx, db, "select count(*) from generate_series(1, 10) i where i = any($1)", pq.Array([]int64{2, 4, 99})), 2, "= any")
	},

	"types": func(ctx context.Context, db *sql.DB, table string) {
		when := time.Date(2024, 2, 29, 12, 34, 56, 789012000, time.UTC)
		var back time.Time
		must(db.QueryRowContext(ctx, "select $1::timestamptz", when).Scan(&back))
		same(back.UTC(), when, "timestamptz")
		for _, one := range [][2]string{
			{"numeric", "12345678901234567890.123456789"}, {"jsonb", `{"a": [1, null, "ü"]}`}, {"text", "ü 漢 😀"},
			{"uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}, {"numeric", "NaN"}, {"text", ""},
		} {
			same(text(ctx, db, "select $1::"+one[0], one[1]), one[1], one[0])
		}
		var null sql.NullString
		must(db.QueryRowContext(ctx, "select $1::text", nil).Scan(&null))
		same(null.Valid, false, "NULL")
	},

	"large": func(ctx context.Context, db *sql.DB, table string) {
		data := strings.Repeat("0123456789", 1000000)
		same(text(ctx, db, "select $1::text", data) == data, true, "10 MB there and back")
		execute(ctx, db, "create table "+table+" (v bytea)")
		execute(ctx, db, "insert into "+table+" values ($1)", []byte(data))
		var back []byte
		must(db.QueryRowContext(ctx, "select v from "+table).Scan(&back))
		same(bytes.Equal(back, []byte(data)), true, "bytea")
	},

	"errors": func(ctx context.Context, db *sql.DB, table string) {
		c := single(ctx, db)
		fails(attempt(ctx, c, "select 1/$1::int", 0), "22012", "division")
		fails(attempt(ctx, c, "no such statement"), "42601", "syntax")
		fails(attempt(ctx, c, "select * from "+table), "42P01", "no table")
		fails(attempt(ctx, c, "select * from "+table+" where v = $1", 1), "42P01", "no table, with a parameter")
		execute(ctx, c, "create table "+table+" (v int constraint "+table+"_key unique)")
		execute(ctx, c, "insert into "+table+" values (1)")
		failure := fails(attempt(ctx, c, "insert into "+table+" values ($1)", 1), "23505", "unique")
		same(failure.Constraint+" "+failure.Table, table+"_key "+table, "names in the error")
		same(number(ctx, c, "select 1"), 1, "afterwards")
	},

	"errors_in_transaction": func(ctx context.Context, db *sql.DB, table string) {
		execute(ctx, db, "create table "+table+" (v int)")
		tx, err := db.BeginTx(ctx, nil)
		must(err)
		execute(ctx, tx, "insert into "+table+" values ($1)", 1)
		fails(attempt(ctx, tx, "select 1/$1::int", 0), "22012", "division")
		fails(attempt(ctx, tx, "select $1::int", 1), "25P02", "the failed transaction")
		same(tx.Commit() != nil, true, "the driver tells a commit that was none")
		same(number(ctx, db, "select count(*) from "+table), 0, "count")
	},

	"settings": func(ctx context.Context, db *sql.DB, table string) {
		one := single(ctx, db)
		other := single(ctx, open("application_name=other search_path=pg_catalog statement_timeout=7000"))
		execute(ctx, one, "set work_mem to '7MB'")
		for i := 0; i < 20; i++ {
			same(text(ctx, one, "show work_mem"), "7MB", "work_mem of the first")
			same(text(ctx, other, "show work_mem"), "4MB", "work_mem of the second")
			same(text(ctx, other, "show search_path"), "pg_catalog", "search_path of the second")
			same(text(ctx, other, "select current_setting($1)", "statement_timeout"), "7s", "statement_timeout of the second")
		}
		execute(ctx, one, "reset work_mem")
		same(text(ctx, one, "show work_mem"), "4MB", "after RESET")
	},

	"pool": func(ctx context.Context, db *sql.DB, table string) {
		db.SetMaxOpenConns(12)
		db.SetMaxIdleConns(12)
		execute(ctx, db, "create table "+table+" (worker int, v int)")
		insert, err := db.PrepareContext(ctx, "insert into "+table+" values ($1, $2)")
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
					tx, err := db.BeginTx(ctx, nil)
					must(err)
					_, err = tx.StmtContext(ctx, insert).ExecContext(ctx, worker, i)
					must(err)
					if i%4 == 3 {
						must(tx.Rollback())
					} else {
						must(tx.Commit())
					}
					same(number(ctx, db, "select $1::int * 1000 + $2::int", worker, i), worker*1000+i, "own answer")
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
		tx, err := db.BeginTx(ctx, nil)
		must(err)
		same(number(ctx, tx, "select count(*) from "+table), 12*15, "rows")
		must(tx.Commit())
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
	// The driver knows fewer modes than libpq, and its default is to insist on encryption.
	if os.Getenv("PGSSLMODE") == "" {
		os.Setenv("PGSSLMODE", "disable")
	}
	defer func() {
		if problem := recover(); problem != nil {
			fmt.Fprintln(os.Stderr, problem)
			os.Exit(1)
		}
	}()
	db := open("")
	db.SetMaxOpenConns(1) // so that a part reads what it has written
	parts[os.Args[1]](context.Background(), db, os.Args[2])
}
