package telemetry

import (
	"bytes"
	"errors"
	"log/slog"
	"testing"
	"time"
)

// both writes a record by plain and by the library.
func both(t *testing.T, record slog.Record, with func(slog.Handler) slog.Handler) (own, library string) {
	t.Helper()
	var a, b bytes.Buffer
	options := &slog.HandlerOptions{Level: slog.LevelDebug}
	for _, h := range []slog.Handler{plain{slog.NewJSONHandler(&a, options), &a}, slog.NewJSONHandler(&b, options)} {
		if with != nil {
			h = with(h)
		}
		if err := h.Handle(t.Context(), record.Clone()); err != nil {
			t.Fatal(err)
		}
	}
	return a.String(), b.String()
}

// TestPlainLikeTheLibrary holds that nobody can tell who wrote a line.
func TestPlainLikeTheLibrary(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, at := range []time.Time{
		{}, now, now.UTC(), now.Truncate(time.Second), now.In(time.FixedZone("x", -3*3600-1800)), time.Date(12026, 1, 2, 3, 4, 5, 6, time.UTC), time.Unix(0, 120000000),
	} {
		for _, attrs := range [][]slog.Attr{
			nil,
			{slog.String("request_id", "rid_1"), slog.Int("status", 200), slog.Int64("bytes", -5), slog.Duration("duration", 1234567*time.Nanosecond), slog.Bool("stream", true)},
			{slog.String("a", "")},
			{slog.String("", "b")},
			{{}},
			{slog.String("a", "b"), {}, slog.String("c", "d")},
			{slog.Group("")}, {slog.Group("g", "a", 1)}, {slog.Any("a", nil)}, {slog.Any("a", errors.New("bad \"x\""))},
			{slog.Float64("f", 1.5)}, {slog.Uint64("u", 1<<63)}, {slog.Time("t", now)}, {slog.Any("a", []string{"b"})},
			{slog.Any("a", slog.StringValue("plain"))}, {slog.Any("level", slog.LevelWarn)},
		} {
			for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError, 2} {
				record := slog.NewRecord(at, level, "request", 0)
				record.AddAttrs(attrs...)
				for _, with := range []func(slog.Handler) slog.Handler{
					nil,
					func(h slog.Handler) slog.Handler { return h.WithAttrs([]slog.Attr{slog.String("room", "gpt")}) },
					func(h slog.Handler) slog.Handler { return h.WithGroup("g") },
				} {
					if own, library := both(t, record, with); own != library {
						t.Errorf("%v %v:\n%s%s", at, attrs, own, library)
					}
				}
			}
		}
	}
}

func FuzzPlain(f *testing.F) {
	for _, text := range []string{"plain", "", "a\"b", "a\\b", "<b>&", "a\nb", "\x00", "\x7f", "\u2028", "é", "\xff", "~ !"} {
		f.Add(text, "key", "value")
		f.Add("message", text, "value")
		f.Add("message", "key", text)
	}
	f.Fuzz(func(t *testing.T, message, key, value string) {
		record := slog.NewRecord(time.Unix(1, 2), slog.LevelInfo, message, 0)
		record.AddAttrs(slog.Int("n", 1), slog.String(key, value), slog.Bool("last", false))
		if own, library := both(t, record, nil); own != library {
			t.Errorf("%s%s", own, library)
		}
	})
}

func BenchmarkLine(b *testing.B) {
	library := slog.NewJSONHandler(discard{}, nil)
	for name, h := range map[string]slog.Handler{"plain": plain{library, discard{}}, "library": library} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			record := slog.NewRecord(time.Now(), slog.LevelInfo, "request", 0)
			record.AddAttrs(slog.String("request_id", "rid_01HZX3V5K7Q8R9T0ABCDEFGHJK"), slog.String("principal", "key_0123456789ab"), slog.String("method", "POST"),
				slog.String("route", "/v1/chat/completions"), slog.Int("status", 200), slog.Int64("bytes", 1400), slog.Duration("duration", 14*time.Millisecond), slog.String("model", "gpt-4.1"))
			for b.Loop() {
				_ = h.Handle(b.Context(), record)
			}
		})
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
