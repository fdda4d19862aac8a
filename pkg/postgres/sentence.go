package postgres

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// severalRows is how many rows one statement inserts, where so many are there; else
// it is half as many, and so on.
const severalRows = 8

// sentence is what is sent for a commit.
type sentence struct {
	parts []part // its statements
	told  []*DB  // whose outboxes grow
}

// part is a statement.
type part struct {
	call  *call // whose it is; nil where it is several calls', or of the outbox
	must  bool
	query string
	args  []any
}

// text is what a statement as it is sent depends on.
type text struct {
	query string
	kind  textKind
	rows  int
	args  int
}

type textKind uint8

const (
	plainText textKind = iota
	mustText
	rowText
)

// sentence makes the statements of calls: rows of several calls together where that
// is wanted, the others in their order, and the records for each outbox as one.
func (w *Writer) sentence(calls []*call, merged bool) *sentence {
	s := &sentence{parts: make([]part, 0, len(calls)+8)}
	merged = merged && len(calls) > 1
	for _, c := range calls {
		for _, stmt := range c.stmts {
			if stmt.Row && merged {
				continue
			}
			kind := plainText
			switch {
			case stmt.Row:
				kind = rowText
			case stmt.Must:
				kind = mustText
			}
			s.add(part{call: c, must: stmt.Must}, w.text(text{query: stmt.Query, kind: kind, rows: 1, args: len(stmt.Args)}), stmt.Args)
		}
	}
	if merged { // after the statements that say whose call happens
		w.rows(s, calls)
	}
	var records [][]byte
	for _, c := range calls {
		if len(c.record) == 0 {
			continue
		}
		at := len(s.told)
		for i, db := range s.told {
			if db == c.db {
				at = i
			}
		}
		if at == len(s.told) {
			s.told, records = append(s.told, c.db), append(records, nil)
		}
		records[at] = append(records[at], c.record...)
	}
	for i, db := range s.told {
		s.add(part{}, w.text(text{query: "insert into " + db.Table("outbox") + " (micros, record) values", kind: rowText, rows: 1, args: 2}),
			[]any{time.Now().UnixMicro(), records[i]})
	}
	return s
}

// rows adds the rows that calls insert, those of one kind together.
func (w *Writer) rows(s *sentence, calls []*call) {
	type row struct {
		call *call
		args []any
	}
	var queries []string // in an order that is that of each call
	rows := map[string][]row{}
	for _, c := range calls {
		at := 0 // behind the call's last query
		for _, stmt := range c.stmts {
			if !stmt.Row {
				continue
			}
			if rows[stmt.Query] == nil {
				queries = slices.Insert(queries, at, stmt.Query)
			}
			at = max(at, slices.Index(queries, stmt.Query)+1)
			rows[stmt.Query] = append(rows[stmt.Query], row{c, stmt.Args})
		}
	}
	for _, query := range queries {
		list := rows[query]
		for len(list) > 0 {
			n, p := severalRows, part{}
			for n > len(list) {
				n /= 2
			}
			if n == 1 {
				p.call = list[0].call
			}
			width := len(list[0].args)
			args := list[0].args
			if n > 1 {
				args = make([]any, 0, n*width)
				for _, row := range list[:n] {
					args = append(args, row.args...)
				}
			}
			s.add(p, w.text(text{query: query, kind: rowText, rows: n, args: width}), args)
			list = list[n:]
		}
	}
}

func (s *sentence) add(p part, query string, args []any) {
	p.query, p.args = query, args
	s.parts = append(s.parts, p)
}

// text returns a statement as it is sent.
func (w *Writer) text(t text) string {
	if t.kind == plainText {
		return t.query
	}
	made, ok := w.texts[t]
	if !ok {
		if t.kind == mustText {
			// Where nothing was changed the division fails, and all with it.
			made = "with changed as (" + t.query + " returning 1) select 1 / count(*) from changed"
		} else {
			made = rowsText(t.query, t.args, t.rows)
		}
		w.texts[t] = made
	}
	return made
}

// rowsText completes an "insert into … values".
func rowsText(query string, width, rows int) string {
	var out strings.Builder
	out.WriteString(query)
	for i := range rows * width {
		switch {
		case i == 0:
			out.WriteString(" ($")
		case i%width == 0:
			out.WriteString("), ($")
		default:
			out.WriteString(", $")
		}
		out.WriteString(strconv.Itoa(i + 1))
	}
	out.WriteByte(')')
	return out.String()
}

// refused says that the server did not take a statement for a reason that lies in
// it, or in what others do at that moment, and will take others.
func refused(err error) bool {
	if IsUnavailable(err) {
		return false
	}
	switch class := code(err); {
	case strings.HasPrefix(class, "53"), strings.HasPrefix(class, "54"), strings.HasPrefix(class, "57"),
		strings.HasPrefix(class, "58"), strings.HasPrefix(class, "XX"):
		return false // the server is short of something, or ill
	default:
		return class != ""
	}
}
