package sqlite

import (
	"database/sql"
	"fmt"
	"reflect"
	"strconv"

	lib "modernc.org/sqlite/lib"
)

// columns reads the columns of the row that a statement is at into dest.
func (c *conn) columns(s *prepared, dest []any) error {
	if n := int(lib.Xsqlite3_column_count(c.tls, s.handle)); n != len(dest) {
		return fmt.Errorf("sqlite: %d columns for %d destinations", n, len(dest))
	}
	for i, to := range dest {
		if err := assign(to, c.column(s.handle, int32(i))); err != nil {
			return fmt.Errorf("sqlite: column %d: %w", i+1, err)
		}
	}
	return nil
}

// column returns a value of the row: nil, an int64, a float64, a string or a
// []byte, which nobody else has.
func (c *conn) column(handle uintptr, i int32) any {
	switch lib.Xsqlite3_column_type(c.tls, handle, i) {
	case lib.SQLITE_INTEGER:
		return lib.Xsqlite3_column_int64(c.tls, handle, i)
	case lib.SQLITE_FLOAT:
		return lib.Xsqlite3_column_double(c.tls, handle, i)
	case lib.SQLITE_TEXT:
		at := lib.Xsqlite3_column_text(c.tls, handle, i)
		return string(memory(at, int(lib.Xsqlite3_column_bytes(c.tls, handle, i))))
	case lib.SQLITE_BLOB:
		at := lib.Xsqlite3_column_blob(c.tls, handle, i)
		return append([]byte{}, memory(at, int(lib.Xsqlite3_column_bytes(c.tls, handle, i)))...)
	}
	return nil
}

// assign puts a column's value where dest points, as database/sql does.
func assign(dest, value any) error {
	switch to := dest.(type) {
	case *any:
		*to = value
		return nil
	case sql.Scanner:
		return to.Scan(value)
	case *[]byte:
		switch v := value.(type) {
		case nil:
			*to = nil
		case []byte:
			*to = v
		default:
			*to = []byte(text(v))
		}
		return nil
	case *sql.RawBytes:
		return fmt.Errorf("cannot scan into a %T", dest)
	}
	to := reflect.ValueOf(dest)
	if to.Kind() != reflect.Pointer || to.IsNil() {
		return fmt.Errorf("cannot scan into a %T", dest)
	}
	to = to.Elem()
	if value == nil {
		if to.Kind() == reflect.Pointer {
			to.SetZero()
			return nil
		}
		return fmt.Errorf("NULL for a %T", dest)
	}
	var err error
	switch to.Kind() {
	case reflect.Pointer:
		fresh := reflect.New(to.Type().Elem())
		if err := assign(fresh.Interface(), value); err != nil {
			return err
		}
		to.Set(fresh)
	case reflect.String:
		to.SetString(text(value))
	case reflect.Bool:
		var v bool
		if v, err = strconv.ParseBool(text(value)); err == nil {
			to.SetBool(v)
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v, whole := value.(int64)
		if !whole {
			v, err = strconv.ParseInt(text(value), 10, 64)
		}
		if err == nil && to.OverflowInt(v) {
			err = strconv.ErrRange
		}
		if err == nil {
			to.SetInt(v)
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		var v uint64
		if v, err = strconv.ParseUint(text(value), 10, to.Type().Bits()); err == nil {
			to.SetUint(v)
		}
	case reflect.Float32, reflect.Float64:
		v, real := value.(float64)
		if !real {
			v, err = strconv.ParseFloat(text(value), to.Type().Bits())
		}
		if err == nil {
			to.SetFloat(v)
		}
	default:
		return fmt.Errorf("cannot scan into a %T", dest)
	}
	if err != nil {
		return fmt.Errorf("%T for a %T: %w", value, dest, err)
	}
	return nil
}

// text is a value that is not nil as text.
func text(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case []byte:
		return string(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return ""
}
