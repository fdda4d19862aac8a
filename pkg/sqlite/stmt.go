package sqlite

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Stmt is a statement with its arguments, which are kept until it was run; of its
// Values a Later makes a copy of its own. One without a Query is a Recording, whose
// record is all that it has.
type Stmt struct {
	Query string
	Args  []any
	// Values, where there are any, stand in the place of Args.
	Values Values
	// Row says that the statement inserts a row of Values, and that its text ends with
	// the list of these: "values (?, ?)". Where a Later has nothing but Rows, they may
	// be run together with those of their Query that were written before and after
	// them. Its first one is run before its others; those must not need each other.
	Row bool
	// Key, where set, lets a Later run the statement behind those that were written
	// after it, together with the others of its Query and Key: as Join says. A Later
	// of nothing else is held for some seconds, until somebody reads. A crash may
	// have each run by itself, in its place or behind all rows.
	Key string
	// Join makes the arguments of fewer statements, or of as many, of those of
	// several, in their order. What it is given it leaves as it is. Without it the
	// last one's are those of all.
	Join func(args [][]any) [][]any
	// Now, where set, makes what is run in the place of all statements of this Query and
	// Key, when it is run: of one that is written again and again from what the caller
	// has anyway, so that nothing is kept of its Args. It must not use the DB. done is
	// called when all that it made is in the tables, or will not be by this run of it.
	// A crash has each statement run with its Args, and a DB without a journal too.
	Now func() (list []Stmt, done func(stored bool))
}

// What follows an argument's tag in a journal's record.
const (
	tagNil     byte = iota
	tagInteger      // a varint
	tagReal         // 8 bytes
	tagText         // a length and bytes
	tagBlob         // the same
	tagFalse
	tagTrue
)

// stmts are statements that are run together: the body of a journal's record.
type stmts []Stmt

// values makes drivers' values of all arguments, so that nothing can fail later.
func (s stmts) values() error {
	for _, stmt := range s {
		for i, arg := range stmt.Args {
			value, err := toValue(arg)
			if err != nil {
				return fmt.Errorf("sqlite: argument %d: %w", i+1, err)
			}
			switch value.(type) {
			case nil, int64, string, []byte, bool, float64:
			default:
				return fmt.Errorf("sqlite: argument %d: cannot keep a %T", i+1, value)
			}
			stmt.Args[i] = value
		}
	}
	return nil
}

// size is about how much memory the statements hold.
func (s stmts) size() int {
	size := 64
	for _, stmt := range s {
		if stmt.Now != nil {
			continue
		}
		size += len(stmt.Query) + stmt.Values.size() + 32*len(stmt.Args)
		for _, arg := range stmt.Args {
			switch v := arg.(type) {
			case string:
				size += len(v)
			case []byte:
				size += len(v)
			}
		}
	}
	return size
}

// appendTo appends a journal's record: of each statement the text, by its length
// and bytes, or where known has its number two zeros and that, and then the
// arguments.
func (s stmts) appendTo(dst []byte, known func(text string) (uint64, bool)) (out []byte, spelled bool) {
	for _, stmt := range s {
		if stmt.Query == "" { // a Recording
			dst = appendBlob(append(dst, 0, 1), stmt.Values.packed)
			continue
		}
		if n, ok := known(stmt.Query); ok {
			dst = binary.LittleEndian.AppendUint64(append(dst, 0, 0), n)
		} else {
			spelled = true
			dst = binary.AppendUvarint(dst, uint64(len(stmt.Query)))
			dst = append(dst, stmt.Query...)
		}
		if !stmt.Values.none() {
			dst = stmt.Values.appendTo(dst)
			continue
		}
		dst = binary.AppendUvarint(dst, uint64(len(stmt.Args)))
		for _, arg := range stmt.Args {
			dst = appendArg(dst, arg)
		}
	}
	return dst, spelled
}

func appendArg(dst []byte, arg any) []byte {
	switch v := arg.(type) {
	case int64:
		return binary.AppendVarint(append(dst, tagInteger), v)
	case float64:
		return binary.LittleEndian.AppendUint64(append(dst, tagReal), math.Float64bits(v))
	case string:
		dst = binary.AppendUvarint(append(dst, tagText), uint64(len(v)))
		return append(dst, v...)
	case []byte:
		return appendBlob(dst, v)
	case bool:
		if v {
			return append(dst, tagTrue)
		}
		return append(dst, tagFalse)
	}
	return append(dst, tagNil)
}

func appendBlob(dst, b []byte) []byte {
	if b == nil {
		return append(dst, tagNil)
	}
	dst = binary.AppendUvarint(append(dst, tagBlob), uint64(len(b)))
	return append(dst, b...)
}

var errRecord = errors.New("sqlite: a record of the journal cannot be read")

// parseStmts reads what appendTo wrote; stored are the texts by their numbers.
// Nothing of the result points into data.
func parseStmts(data []byte, stored map[uint64]string) (stmts, error) {
	var out stmts
	for len(data) > 0 {
		var stmt Stmt
		query, rest, ok := cut(data)
		if !ok {
			return nil, errRecord
		}
		stmt.Query = string(query)
		if len(rest) > 8 && stmt.Query == "" && rest[0] == 0 {
			n := binary.LittleEndian.Uint64(rest[1:])
			if stmt.Query, ok = stored[n]; !ok {
				stmt.Query = unknown(n)
			}
			rest = rest[9:]
		}
		count, n := binary.Uvarint(rest)
		if n <= 0 || count > uint64(len(rest)) {
			return nil, errRecord
		}
		data = rest[n:]
		for range count {
			var arg any
			if arg, data, ok = parseArg(data); !ok {
				return nil, errRecord
			}
			stmt.Args = append(stmt.Args, arg)
		}
		if stmt.Query == "" {
			if len(stmt.Args) != 1 {
				return nil, errRecord
			}
			stmt.Values.packed, _ = stmt.Args[0].([]byte)
			stmt.Args = nil
		}
		out = append(out, stmt)
	}
	return out, nil
}

// cut splits a length and as many bytes from data.
func cut(data []byte) (piece, rest []byte, ok bool) {
	size, n := binary.Uvarint(data)
	if n <= 0 || size > uint64(len(data)-n) {
		return nil, nil, false
	}
	return data[n : n+int(size)], data[n+int(size):], true
}

func parseArg(data []byte) (arg any, rest []byte, ok bool) {
	if len(data) == 0 {
		return nil, nil, false
	}
	tag, data := data[0], data[1:]
	switch tag {
	case tagNil:
		return nil, data, true
	case tagFalse, tagTrue:
		return tag == tagTrue, data, true
	case tagInteger:
		v, n := binary.Varint(data)
		if n <= 0 {
			return nil, nil, false
		}
		return v, data[n:], true
	case tagReal:
		if len(data) < 8 {
			return nil, nil, false
		}
		return math.Float64frombits(binary.LittleEndian.Uint64(data)), data[8:], true
	case tagText, tagBlob:
		piece, rest, ok := cut(data)
		if !ok {
			return nil, nil, false
		}
		if tag == tagText {
			return string(piece), rest, true
		}
		return append([]byte{}, piece...), rest, true
	}
	return nil, nil, false
}
