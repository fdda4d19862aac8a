package face

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/gptmesh/gptmesh/tests/harness"
)

// post sends a body to a face. The caller closes the answer's.
func post(ctx context.Context, mesh *harness.Mesh, path string, body any, ask Ask) (*http.Response, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, mesh.URL+path, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	set := func(key, value string) {
		if value != "" {
			req.Header.Set(key, value)
		}
	}
	set("X-Gptmesh-Session", ask.Session)
	set("Idempotency-Key", ask.IdempotencyKey)
	set("X-Gptmesh-On-Disconnect", ask.OnDisconnect)
	if ask.Timeout > 0 {
		set("X-Request-Timeout", strconv.FormatFloat(ask.Timeout.Seconds(), 'f', -1, 64))
	}
	set("X-Request-Id", ask.RequestID)
	set("X-Gptmesh-User", ask.User)
	if mesh.Key != "" {
		set("Authorization", "Bearer "+mesh.Key)
	}
	for key, value := range ask.Header {
		set(key, value)
	}
	return mesh.HTTP().Do(req)
}

// begin reads what every HTTP answer has.
func begin(resp *http.Response) Answer {
	return Answer{
		Status: resp.StatusCode, Header: resp.Header, RequestID: resp.Header.Get("X-Gptmesh-Request"),
		ResponseID: resp.Header.Get("X-Gptmesh-Response"), SessionID: resp.Header.Get("X-Gptmesh-Session"),
	}
}

// wantType checks the media type of an answer.
func wantType(resp *http.Response, want string) error {
	got, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	if got != want {
		return fmt.Errorf("Content-Type is %q, want %q", got, want)
	}
	return nil
}

// readEvents reads server-sent events that have data alone, and calls fn with
// the data of each.
func readEvents(body io.Reader, all *strings.Builder, fn func(data string) error) error {
	lines := bufio.NewReader(io.TeeReader(body, all))
	data, open := "", false
	for {
		line, err := lines.ReadString('\n')
		if err == io.EOF && line == "" {
			if open {
				return io.ErrUnexpectedEOF
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("within a line: %w", err)
		}
		line = strings.TrimRight(line, "\r\n")
		switch {
		case line == "" && open:
			if err := fn(data); err != nil {
				return err
			}
			data, open = "", false
		case strings.HasPrefix(line, "data: "):
			data += strings.TrimPrefix(line, "data: ")
			open = true
		case line == "", strings.HasPrefix(line, ":"):
		default:
			return fmt.Errorf("%q is no line of an event stream with data alone", line)
		}
	}
}
