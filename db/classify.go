package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
)

// Error is a database error with its condition and its place. errors.Is finds
// the condition (ErrLocked …) and whatever the driver said.
type Error struct {
	Source string // as DB.Source: no password
	Kind   error  // one of the conditions, or nil when it is none of them
	Err    error  // what the driver said
}

// Error says which database, what is wrong and, where there is one, the
// command that helps.
func (e *Error) Error() string {
	switch e.Kind {
	case ErrNoDatabase:
		return fmt.Sprintf("there is no database %s; to make one: sipctl db create", e.Source)
	case ErrNotDatabase:
		return fmt.Sprintf("%s is not a database", e.Source)
	case ErrLocked:
		return fmt.Sprintf("database %s is locked by another program; try again when it has finished", e.Source)
	case ErrReadOnly:
		return fmt.Sprintf("database %s cannot be written: %v", e.Source, e.Err)
	case ErrNoTable:
		return fmt.Sprintf("database %s lacks a table (%v); to see what it is: sipctl db status", e.Source, e.Err)
	case ErrDenied:
		return fmt.Sprintf("database %s refuses access: %v", e.Source, e.Err)
	case ErrUnavailable:
		return fmt.Sprintf("database %s is not available: %v", e.Source, e.Err)
	}
	return fmt.Sprintf("database %s: %v", e.Source, e.Err)
}

// Unwrap gives errors.Is both the condition and the cause.
func (e *Error) Unwrap() []error {
	if e.Kind == nil {
		return []error{e.Err}
	}
	return []error{e.Kind, e.Err}
}

// Classify finds the condition behind a driver's error: ErrNoDatabase,
// ErrNoTable, ErrLocked (also deadlocks: the transaction may be repeated),
// ErrDuplicate, ErrUnavailable (also deadlines), ErrReadOnly, ErrDenied,
// ErrNotDatabase; nil when it is none of these.
func Classify(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return classifySQLite(e.Code())
	}
	if e, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return classifyMySQL(e.Number)
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return classifyPostgreSQL(e.Code)
	}
	_, dial := errors.AsType[net.Error](err)
	_, connect := errors.AsType[*pgconn.ConnectError](err)
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, sql.ErrNoRows):
		return nil
	case dial, connect, errors.Is(err, errBackOff), errors.Is(err, context.DeadlineExceeded), errors.Is(err, driver.ErrBadConn),
		errors.Is(err, mysql.ErrInvalidConn), errors.Is(err, sql.ErrConnDone), errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, io.EOF), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, syscall.ECONNREFUSED):
		return ErrUnavailable
	}
	return nil
}

// classifySQLite looks at the primary result code, the low byte.
func classifySQLite(code int) error {
	switch code {
	case 2067, 1555: // unique index, primary key
		return ErrDuplicate
	}
	switch code & 0xff {
	case 5, 6: // BUSY, LOCKED
		return ErrLocked
	case 8: // READONLY
		return ErrReadOnly
	case 14: // CANTOPEN
		return ErrNoDatabase
	case 26: // NOTADB
		return ErrNotDatabase
	case 3, 23: // PERM, AUTH
		return ErrDenied
	case 10, 13: // IOERR, FULL
		return ErrUnavailable
	}
	return nil
}

func classifyMySQL(number uint16) error {
	switch number {
	case 1062, 1586:
		return ErrDuplicate
	case 1049:
		return ErrNoDatabase
	case 1146:
		return ErrNoTable
	case 1205, 1213: // lock wait timeout, deadlock
		return ErrLocked
	case 1044, 1045, 1142, 1698:
		return ErrDenied
	case 1290, 1792, 1836:
		return ErrReadOnly
	case 1040, 1053, 1203, 1927, 3024:
		return ErrUnavailable
	}
	return nil
}

// classifyPostgreSQL reads the five letters of SQLSTATE.
func classifyPostgreSQL(code string) error {
	switch code {
	case "23505":
		return ErrDuplicate
	case "3D000":
		return ErrNoDatabase
	case "42P01":
		return ErrNoTable
	case "40001", "40P01", "55P03":
		return ErrLocked
	case "28000", "28P01", "42501":
		return ErrDenied
	case "25006":
		return ErrReadOnly
	case "57P01", "57P02", "57P03", "57014", "53300":
		return ErrUnavailable
	}
	if len(code) == 5 && code[:2] == "08" {
		return ErrUnavailable
	}
	return nil
}
