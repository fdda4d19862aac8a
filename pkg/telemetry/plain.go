package telemetry

import (
	"context"
	"io"
	"log/slog"
	"strconv"
	"sync"
	"time"
)

// plain is a slog.JSONHandler that writes the usual line itself, byte for byte
// as that does: a record with attributes of plain texts and numbers, on a logger
// without any of its own. All others are left to it.
type plain struct {
	*slog.JSONHandler
	to io.Writer // each line in one call
}

var plainLines = sync.Pool{New: func() any { b := make([]byte, 0, 512); return &b }}

// Handle implements slog.Handler.
func (p plain) Handle(ctx context.Context, record slog.Record) error {
	room := plainLines.Get().(*[]byte)
	line, ok := appendPlain((*room)[:0], &record)
	var err error
	if ok {
		_, err = p.to.Write(line)
	}
	if *room = line; cap(line) <= 4<<10 {
		plainLines.Put(room)
	}
	if !ok {
		return p.JSONHandler.Handle(ctx, record)
	}
	return err
}

// appendPlain appends a record's line; false where it holds more than is plain.
func appendPlain(b []byte, record *slog.Record) (line []byte, ok bool) {
	if year := record.Time.Year(); record.Time.IsZero() || year < 0 || year > 9999 {
		return b, false
	}
	b = append(b, `{"time":"`...)
	b = record.Time.AppendFormat(b, time.RFC3339Nano)
	b = append(append(b, `","level":"`...), record.Level.String()...)
	b = append(b, `","msg":`...)
	if b, ok = appendText(b, record.Message); !ok {
		return b, false
	}
	record.Attrs(func(a slog.Attr) bool {
		b = append(b, ',')
		if b, ok = appendText(b, a.Key); !ok {
			return false
		}
		b = append(b, ':')
		switch a.Value.Kind() {
		case slog.KindString:
			b, ok = appendText(b, a.Value.String())
		case slog.KindInt64:
			b = strconv.AppendInt(b, a.Value.Int64(), 10)
		case slog.KindDuration:
			b = strconv.AppendInt(b, int64(a.Value.Duration()), 10)
		case slog.KindBool:
			b = strconv.AppendBool(b, a.Value.Bool())
		default:
			ok = false
		}
		return ok
	})
	return append(b, "}\n"...), ok
}

// appendText appends a text in quotes; false where any of it would be escaped.
func appendText(b []byte, text string) ([]byte, bool) {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return b, false
		}
	}
	return append(append(append(b, '"'), text...), '"'), true
}
