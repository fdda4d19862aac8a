package jsonscan_test

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gptmesh/gptmesh/pkg/jsonscan"
)

// only scans {"key": value}.
func only(t *testing.T, value string) ([]byte, jsonscan.Member) {
	t.Helper()
	body := []byte(`{"key": ` + value + ` }`)
	m, err := jsonscan.Scan(body, jsonscan.NewKeys("key"), nil)
	if err != nil {
		t.Fatalf("%s: %v", value, err)
	}
	return body, m[0]
}

func TestText(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		`""`, `"plain"`, `"\"\\\/\b\f\n\r\t"`, `"\u0041\u00e9\u20ac"`, `"\ud83d\ude00"`, `"\uD83D\uDE00x"`,
		`"\ud83d"`, `"\ude00\ud83d"`, `"\ud83dx\ude00"`, `"\ud83d\u0041"`, `"\ud83d\ud83d\ude00"`, `"日本 😀"`, `"\u0000"`, `"\u2028"`,
	} {
		var want string
		if err := json.Unmarshal([]byte(s), &want); err != nil {
			t.Fatal(err)
		}
		body, m := only(t, s)
		if got, err := m.Text(body); err != nil || got != want {
			t.Errorf("%s: got %q, %v; want %q", s, got, err, want)
		}
		if got, err := m.AppendText([]byte("<"), body); err != nil || string(got) != "<"+want {
			t.Errorf("%s: got %q, %v; want %q", s, got, err, "<"+want)
		}
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		value string
		want  int64
		err   error
	}{
		{"0", 0, nil}, {"-0", 0, nil}, {"42", 42, nil}, {"-7", -7, nil},
		{"9223372036854775807", math.MaxInt64, nil}, {"-9223372036854775808", math.MinInt64, nil},
		{"9223372036854775808", 0, jsonscan.ErrRange}, {"-9223372036854775809", 0, jsonscan.ErrRange},
		{"18446744073709551616", 0, jsonscan.ErrRange}, {"99999999999999999999999", 0, jsonscan.ErrRange},
		{"1.0", 0, jsonscan.ErrType}, {"1e3", 0, jsonscan.ErrType}, {`"1"`, 0, jsonscan.ErrType}, {"null", 0, jsonscan.ErrType},
	}
	for _, tt := range tests {
		body, m := only(t, tt.value)
		if got, err := m.Int64(body); got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("Int64 of %s: %d, %v", tt.value, got, err)
		}
	}
	body, m := only(t, "-1.5e-3")
	if got, err := m.Float64(body); err != nil || got != -0.0015 {
		t.Errorf("Float64: %v, %v", got, err)
	}
	body, m = only(t, "1e999")
	if _, err := m.Float64(body); !errors.Is(err, jsonscan.ErrRange) {
		t.Errorf("Float64 of 1e999: %v", err)
	}
}

func TestWrongTypeNamesTheKey(t *testing.T) {
	t.Parallel()
	body, m := only(t, `[1]`)
	_, text := m.Text(body)
	_, whole := m.Int64(body)
	_, float := m.Float64(body)
	_, boolean := m.Bool(body)
	_, appended := m.AppendText(nil, body)
	for _, err := range []error{text, whole, float, boolean, appended} {
		if !errors.Is(err, jsonscan.ErrType) || !strings.Contains(err.Error(), `"key"`) || !strings.Contains(err.Error(), "have array") {
			t.Errorf("got %v", err)
		}
	}
	if _, err := (jsonscan.Member{}).Text(body); !errors.Is(err, jsonscan.ErrType) || !strings.Contains(err.Error(), "have absent") {
		t.Errorf("absent member: %v", err)
	}
}

func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "plain", "a\"b\\c\n\r\t\x00\x1f", "é日😀\u2028", "\xff\xfe x", "<&>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out := jsonscan.AppendString(nil, s)
		if !utf8.Valid(out) {
			t.Fatalf("not UTF-8: %q", out)
		}
		var got string
		if err := json.Unmarshal(out, &got); err != nil {
			t.Fatalf("%q: %v", out, err)
		}
		if want := string([]rune(s)); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
		body, m := only(t, string(out))
		if again, err := m.Text(body); err != nil || again != got {
			t.Fatalf("Text: %q, %v; want %q", again, err, got)
		}
	})
}
