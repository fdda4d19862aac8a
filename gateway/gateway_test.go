package gateway_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gptmesh/gptmesh/gateway"
	"github.com/gptmesh/gptmesh/gateway/gatewaytest"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func deps(t *testing.T) gateway.Deps {
	return gateway.Deps{
		Request: &gatewaytest.Request{Script: gatewaytest.Chunks(gatewaytest.Raw(conversationv1.Wire_WIRE_OPENAI_CHAT, conversationv1.RawForm_RAW_FORM_JSON, `{}`,
			gatewaytest.Started("m"), gatewaytest.Finished()))},
		GPT:  &gatewaytest.GPT{Models: []*gptv1.Model{{Id: "m"}}},
		Auth: gatewaytest.Keys(t),
	}
}

// Each path's errors are in the words of the face it belongs to.
func TestFacesSideBySide(t *testing.T) {
	t.Parallel()
	e, err := gateway.New(gateway.DefaultConfig(), deps(t))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/api/nothing":     `{"error":"unknown path /api/nothing"}`,
		"/mesh/v1/nothing": `{"error":{"code":404,"status":"NOT_FOUND"`,
		"/mesh/v2":         `{"error":{"code":404,"status":"NOT_FOUND"`,
		"/v1/nothing":      `{"error":{"message":"unknown URL`,
		"/favicon.ico":     `{"error":{"message":"unknown URL`,
		"/api/tags":        `{"models":[{"name":"m"`,
		"/v1/models":       `{"object":"list","data":[{"id":"m"`,
		"/":                `Ollama is running`,
	} {
		r := httptest.NewRequest("GET", path, nil)
		r.Host = "localhost"
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		if !strings.HasPrefix(w.Body.String(), want) {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

func TestTraceGoesIn(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewInMemoryExporter()
	provider := trace.NewTracerProvider(trace.WithSyncer(spans))
	defer provider.Shutdown(context.Background())
	d := deps(t)
	d.Tracer = provider
	e, err := gateway.New(gateway.DefaultConfig(), d)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/v1/chat/completions", strings.NewReader(`{"model":"m","messages":[{"role":"user","content":"x"}]}`))
	r.Host = "localhost"
	r.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	e.ServeHTTP(httptest.NewRecorder(), r)
	got := spans.GetSpans()
	if len(got) != 1 || got[0].Name != "POST /v1/chat/completions" || got[0].SpanContext.TraceID().String() != "0af7651916cd43dd8448eb211c80319c" || got[0].Parent.SpanID().String() != "b7ad6b7169203331" {
		t.Errorf("%+v", got)
	}
}

// Native gRPC and HTTP stand side by side on one address.
func TestNativeGRPCOnTheSameAddress(t *testing.T) {
	t.Parallel()
	server := grpc.NewServer()
	defer server.Stop()
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	d := deps(t)
	d.GRPC = server
	e, err := gateway.New(gateway.DefaultConfig(), d)
	if err != nil {
		t.Fatal(err)
	}
	url := gatewaytest.Serve(t, e)
	conn, err := grpc.NewClient(strings.TrimPrefix(url, "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := grpc_health_v1.NewHealthClient(conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{}); err != nil {
		t.Error(err)
	}
	resp, err := gatewaytest.Client(t).Get(url + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK || string(body) != "ok\n" {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestConfigNamesItsKeys(t *testing.T) {
	t.Parallel()
	c := gateway.DefaultConfig()
	c.Ollama.Version = ""
	if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), "ollama.version:") {
		t.Error(err)
	}
}
