package learn

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
)

// Bounds of labelled data.
const (
	// MaxRowBytes is the longest line that ReadRows takes.
	MaxRowBytes = 4 << 20
	// MaxLabels is the most labels that a head may have.
	MaxLabels = 1024
	// MaxLabelBytes is the longest label or group.
	MaxLabelBytes = 200
)

// Row is one labelled text.
type Row struct {
	Document
	// Label is the right label; empty in rows for routing.
	Label string
	// Routed says that Weak and Strong are set.
	Routed bool
	// Weak and Strong are how well a weak and a strong model answered, as a
	// rule 0 or 1.
	Weak, Strong float64
}

// RowError says which line of which input breaks which rule.
type RowError struct {
	// Source is the name of the input.
	Source string
	// Line counts from 1.
	Line int
	// Field is the member of the row, empty where the whole line is wrong.
	Field string
	// Problem is for people.
	Problem string
}

// Error joins source, line, field and problem.
func (e *RowError) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("%s:%d: %s", e.Source, e.Line, e.Problem)
	}
	return fmt.Sprintf("%s:%d: field %q: %s", e.Source, e.Line, e.Field, e.Problem)
}

// ReadRows reads JSON Lines: objects with text (required), title and group
// (optional), and either label or both weak and strong. All rows are of one
// kind. Other members are not read, so a column that gives the label away, such
// as a date, cannot become a feature. Blank lines are passed over. source
// names the input in errors, which are of type *RowError.
func ReadRows(r io.Reader, source string) ([]Row, error) {
	br := bufio.NewReaderSize(r, 1<<16)
	var rows []Row
	var buf []byte
	for line := 1; ; line++ {
		b, err := readLine(br, buf[:0])
		buf = b
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, &RowError{source, line, "", err.Error()}
		}
		if trimmed := bytes.TrimSpace(b); len(trimmed) > 0 {
			row, rerr := parseRow(trimmed)
			if rerr == nil && len(rows) > 0 && row.Routed != rows[0].Routed {
				rerr = &RowError{Field: "label", Problem: "some rows have a label, others weak and strong"}
			}
			if rerr != nil {
				rerr.Source, rerr.Line = source, line
				return nil, rerr
			}
			rows = append(rows, row)
		}
		if err != nil {
			break
		}
	}
	if len(rows) == 0 {
		return nil, &RowError{source, 1, "", "there are no rows"}
	}
	return rows, nil
}

func readLine(br *bufio.Reader, buf []byte) ([]byte, error) {
	for {
		part, err := br.ReadSlice('\n')
		if len(buf)+len(part) > MaxRowBytes {
			return buf, fmt.Errorf("the line is longer than %d bytes", MaxRowBytes)
		}
		buf = append(buf, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return buf, err
		}
	}
}

func parseRow(b []byte) (Row, *RowError) {
	var raw struct {
		Text   *json.RawMessage `json:"text"`
		Title  *json.RawMessage `json:"title"`
		Group  *json.RawMessage `json:"group"`
		Label  *json.RawMessage `json:"label"`
		Weak   *json.RawMessage `json:"weak"`
		Strong *json.RawMessage `json:"strong"`
	}
	if err := json.Unmarshal(b, &raw); err != nil {
		return Row{}, &RowError{Problem: "not a JSON object: " + err.Error()}
	}
	var row Row
	var rerr *RowError
	str := func(field string, m *json.RawMessage, limit int) string {
		if m == nil || rerr != nil || string(*m) == "null" {
			return ""
		}
		var s string
		if err := json.Unmarshal(*m, &s); err != nil {
			rerr = &RowError{Field: field, Problem: "is not a string"}
		} else if limit > 0 && len(s) > limit {
			rerr = &RowError{Field: field, Problem: fmt.Sprintf("is longer than %d bytes", limit)}
		}
		return s
	}
	num := func(field string, m *json.RawMessage) float64 {
		var v float64
		switch {
		case rerr != nil:
		case m == nil:
			rerr = &RowError{Field: field, Problem: "is missing"}
		case json.Unmarshal(*m, &v) != nil || math.IsNaN(v) || string(*m) == "null":
			rerr = &RowError{Field: field, Problem: "is not a number"}
		}
		return v
	}
	row.Text = str("text", raw.Text, 0)
	row.Title = str("title", raw.Title, 0)
	row.Group = str("group", raw.Group, MaxLabelBytes)
	row.Label = str("label", raw.Label, MaxLabelBytes)
	if raw.Weak != nil || raw.Strong != nil {
		row.Routed = true
		row.Weak = num("weak", raw.Weak)
		row.Strong = num("strong", raw.Strong)
		row.Label = ""
	}
	switch {
	case rerr != nil:
	case strings.TrimSpace(row.Text) == "" && strings.TrimSpace(row.Title) == "":
		rerr = &RowError{Field: "text", Problem: "is missing or blank"}
	case !row.Routed && strings.TrimSpace(row.Label) == "":
		rerr = &RowError{Field: "label", Problem: "is missing or blank, and there are no weak and strong"}
	}
	return row, rerr
}
