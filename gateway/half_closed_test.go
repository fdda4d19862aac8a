package gateway_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/gptmesh/gptmesh/gateway"
	"github.com/gptmesh/gptmesh/gateway/gatewaytest"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
)

// counting counts no tokens.
type counting struct{ *gatewaytest.GPT }

func (counting) CountTokens(context.Context, *gptv1.CountTokensRequest) (*gptv1.CountTokensResponse, error) {
	return &gptv1.CountTokensResponse{}, nil
}

// A client that closes its sending half counts as one that left, and is told so
// in its face's words: it is no empty answer with a good status.
func TestAHalfClosedClientIsToldThatItLeft(t *testing.T) {
	t.Parallel()
	e, err := gateway.New(gateway.DefaultConfig(), gateway.Deps{
		Request: &gatewaytest.Request{Script: func(ctx context.Context, _ *requestv1.SubmitRequest, _ func(*requestv1.SubmitResponse) error) error {
			<-ctx.Done()
			return ctx.Err()
		}},
		GPT: counting{&gatewaytest.GPT{}},
		Response: struct {
			responsev1.ResponseServiceCaller
		}{}, Session: struct{ sessionv1.SessionServiceCaller }{},
		Auth: gatewaytest.Keys(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	address := strings.TrimPrefix(gatewaytest.Serve(t, e), "http://")
	for _, to := range []struct {
		path, rest string
		shape      func([]byte) bool
	}{
		{"/v1/chat/completions", chatRest, openaiShape}, {"/v1/responses", inputRest, openaiShape},
		{"/v1/messages", `,"max_tokens":1` + chatRest, anthropicShape}, {"/api/chat", chatRest, ollamaShape},
	} {
		for _, stream := range []bool{false, true} {
			conn, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			body := fmt.Sprintf(`{"model":"m","store":false,"stream":%t%s}`, stream, to.rest)
			fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", to.path, len(body), body)
			if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(to.path, err)
			}
			got, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != 499 || !to.shape(got) {
				t.Errorf("%s, stream %t: %d %s %v", to.path, stream, resp.StatusCode, got, err)
			}
			resp.Body.Close()
			conn.Close()
		}
	}
}
