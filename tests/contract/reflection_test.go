package contract

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/fullstorydev/grpcurl"
	"github.com/google/go-cmp/cmp"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/tests/harness"
	"github.com/gptmesh/gptmesh/tests/harness/provider"
	"github.com/jhump/protoreflect/grpcreflect"
	"google.golang.org/grpc/codes"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

const model = "oscar-large"

func start(t *testing.T, config harness.Config) *harness.Mesh {
	t.Helper()
	config.Provider = provider.Start(t, provider.Config{OpenAI: []string{model}})
	config.Settings = map[string]any{"gpt": map[string]any{"discovery": map[string]any{"enabled": false}}}
	return harness.Start(t, config)
}

// shell is grpcurl at one process.
type shell struct {
	t      *testing.T
	source grpcurl.DescriptorSource
	mesh   *harness.Mesh
	room   string
}

func open(t *testing.T, mesh *harness.Mesh, room string) *shell {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), harness.Patience)
	client := grpcreflect.NewClientAuto(ctx, mesh.Conn(room))
	t.Cleanup(func() { client.Reset(); cancel() })
	return &shell{t: t, source: grpcurl.DescriptorSourceFromServer(ctx, client), mesh: mesh, room: room}
}

// invoke calls a method with JSON and returns the messages of the answer.
func (s *shell) invoke(method, request string) ([]map[string]any, codes.Code) {
	s.t.Helper()
	parser, formatter, err := grpcurl.RequestParserAndFormatter(grpcurl.FormatJSON, s.source, strings.NewReader(request), grpcurl.FormatOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	var out bytes.Buffer
	handler := &grpcurl.DefaultEventHandler{Out: &out, Formatter: formatter}
	ctx, cancel := context.WithTimeout(s.t.Context(), harness.Patience)
	defer cancel()
	if err := grpcurl.InvokeRPC(ctx, s.source, s.mesh.Conn(s.room), method, nil, handler, parser.Next); err != nil {
		s.t.Fatalf("%s: %v", method, err)
	}
	var messages []map[string]any
	decoder := json.NewDecoder(&out)
	for decoder.More() {
		var m map[string]any
		if err := decoder.Decode(&m); err != nil {
			s.t.Fatal(err)
		}
		messages = append(messages, m)
	}
	return messages, handler.Status.Code()
}

// services are what each room offers.
var services = map[string][]string{
	"session": {"gptmesh.session.v1.SessionService"}, "response": {"gptmesh.response.v1.ResponseService"},
	"request":    {"gptmesh.request.v1.RequestService", "gptmesh.request.v1.RoutingService"},
	"gpt":        {"gptmesh.gpt.v1.GPTService", "gptmesh.gpt.v1.UsageService"},
	"classifier": {"gptmesh.classifier.v1.ClassifierService", "gptmesh.classifier.v1.LearningService"},
}

// eventService is the log of events, which every process with a store has.
const eventService = "gptmesh.event.v1.EventService"

// A stranger finds every service of a process, and can read all of it.
func TestReflection(t *testing.T) {
	t.Parallel()
	for _, shape := range []harness.Shape{harness.Up, harness.Full} {
		t.Run(string(shape), func(t *testing.T) {
			t.Parallel()
			mesh := start(t, harness.Config{Combination: harness.Combination{Shape: shape}})
			for room, offered := range services {
				s := open(t, mesh, room)
				listed, err := grpcurl.ListServices(s.source)
				if err != nil {
					t.Fatal(err)
				}
				want := []string{"grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"}
				for _, room := range mesh.Of(room).Rooms {
					want = append(want, services[room]...)
					if room != "gateway" && !slices.Contains(want, eventService) {
						want = append(want, eventService)
					}
				}
				slices.Sort(want)
				if diff := cmp.Diff(want, listed); diff != "" {
					t.Errorf("%s: services (-want +got):\n%s", room, diff)
				}
				names := slices.Clone(offered)
				for _, service := range offered {
					methods, err := grpcurl.ListMethods(s.source, service)
					if err != nil || len(methods) == 0 {
						t.Errorf("%s: methods %v, %v", service, methods, err)
					}
					names = append(names, methods...)
				}
				for _, name := range names {
					found, err := s.source.FindSymbol(name)
					if err != nil {
						t.Errorf("%s: %v", name, err)
						continue
					}
					if text, err := grpcurl.GetDescriptorText(found, s.source); err != nil || text == "" {
						t.Errorf("%s: %q %v", name, text, err)
					}
				}
				// The service looks at the rooms from time to time.
				var health []map[string]any
				var code codes.Code
				harness.Poll(t, func() bool {
					health, code = s.invoke("grpc.health.v1.Health/Check", "{}")
					return code == codes.OK && len(health) == 1 && health[0]["status"] == "SERVING"
				}, func() string { return fmt.Sprintf("%s: health is %v %v", room, health, code) })
			}
		})
	}
}

// What the README shows with grpcurl works.
func TestInvoke(t *testing.T) {
	t.Parallel()
	mesh := start(t, harness.Config{})
	sessions, requests := open(t, mesh, "session"), open(t, mesh, "request")

	made, err := mesh.Session().CreateSession(t.Context(), &sessionv1.CreateSessionRequest{SessionId: "my-session", Session: &sessionv1.Session{Title: "Tour"}})
	if err != nil {
		t.Fatal(err)
	}
	got, code := sessions.invoke("gptmesh.session.v1.SessionService/GetSession", `{"session_id":"my-session"}`)
	if code != codes.OK || len(got) != 1 || got[0]["session"].(map[string]any)["title"] != made.GetSession().GetTitle() {
		t.Errorf("%v %v", got, code)
	}
	if _, code := sessions.invoke("gptmesh.session.v1.SessionService/GetSession", `{"session_id":"nobody's"}`); code != codes.NotFound {
		t.Errorf("an unknown session: %v", code)
	}
	if _, code := sessions.invoke("gptmesh.session.v1.SessionService/GetSession", `{}`); code != codes.InvalidArgument {
		t.Errorf("no session: %v", code)
	}

	steps, code := requests.invoke("gptmesh.request.v1.RequestService/Submit",
		`{"session_id":"my-session","turn":{"model":"`+model+`","stream":true,"messages":[{"role":"ROLE_USER","parts":[{"text":"hello"}]}]}}`)
	if code != codes.OK || len(steps) == 0 {
		t.Fatalf("%v %v", steps, code)
	}
	text := ""
	for _, step := range steps {
		chunk, _ := step["chunk"].(map[string]any)
		events, _ := chunk["events"].([]any)
		for _, event := range events {
			if delta, ok := event.(map[string]any)["text"].(map[string]any); ok {
				text += delta["text"].(string)
			}
		}
	}
	if text != "Hello from "+model+"." {
		t.Errorf("the answer is %q", text)
	}
	first, _ := steps[0]["request"].(map[string]any)
	last, _ := steps[len(steps)-1]["request"].(map[string]any)
	if first["id"] == nil || first["id"] != last["id"] || last["state"] != "STATE_COMPLETED" {
		t.Errorf("the first step says %v and the last one %v", first, last)
	}
}
