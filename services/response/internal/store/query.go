package store

import "strings"

// Where builds the condition of a list for one database: mark returns the
// n-th placeholder, from 1.
func (f Filter) Where(mark func(n int) string) (condition string, args []any) {
	var terms []string
	add := func(term string, values ...any) {
		for _, v := range values {
			args = append(args, v)
			term = strings.Replace(term, "?", mark(len(args)), 1)
		}
		terms = append(terms, term)
	}
	add("owner = ?", f.Owner)
	if f.SessionID != "" {
		// The second term lets SQLite take the index of those that have one.
		add("session_id = ? and session_id <> ''", f.SessionID)
	}
	if len(f.States) > 0 {
		marks := make([]string, len(f.States))
		values := make([]any, len(f.States))
		for i, state := range f.States {
			marks[i], values[i] = "?", int32(state)
		}
		add("state in ("+strings.Join(marks, ", ")+")", values...)
	}
	if !f.After.IsZero() {
		add("create_micros >= ?", Micros(f.After))
	}
	if !f.Before.IsZero() {
		add("create_micros < ?", Micros(f.Before))
	}
	if f.Cursor.ID != "" {
		add("(create_micros, id) < (?, ?)", f.Cursor.Micros, f.Cursor.ID)
	}
	return strings.Join(terms, " and "), args
}
