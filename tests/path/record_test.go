package path

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
)

// textOf is the text of a message.
func textOf(m *conversationv1.Message) string {
	var text strings.Builder
	for _, part := range m.GetParts() {
		text.WriteString(part.GetText())
	}
	return text.String()
}

// line is a message in short.
func line(m *conversationv1.Message) string {
	return strings.ToLower(strings.TrimPrefix(m.GetRole().String(), "ROLE_")) + ": " + textOf(m)
}

// messages lists a session over gRPC.
func (w *world) messages(ctx context.Context, session string) ([]string, error) {
	var lines []string
	token := ""
	for {
		page, err := w.Session().ListMessages(ctx, &sessionv1.ListMessagesRequest{SessionId: session, PageToken: token})
		if err != nil {
			return nil, err
		}
		for _, m := range page.GetMessages() {
			lines = append(lines, line(m))
		}
		if token = page.GetNextPageToken(); token == "" {
			return lines, nil
		}
	}
}

// restMessages lists a session over REST.
func (w *world) restMessages(t *testing.T, session string) []string {
	t.Helper()
	var page struct {
		Messages []struct {
			Role  string `json:"role"`
			Parts []struct {
				Text string `json:"text"`
			} `json:"parts"`
		} `json:"messages"`
	}
	w.rest(t, "/mesh/v1/sessions/"+session+"/messages", &page)
	var lines []string
	for _, m := range page.Messages {
		text := ""
		for _, p := range m.Parts {
			text += p.Text
		}
		lines = append(lines, strings.ToLower(strings.TrimPrefix(m.Role, "ROLE_"))+": "+text)
	}
	return lines
}

// call asks the mesh as its client. The answer's body is the caller's to close.
func (w *world) call(t *testing.T, method, path, body string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(limit(t), method, w.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if w.Key != "" {
		req.Header.Set("Authorization", "Bearer "+w.Key)
	}
	resp, err := w.HTTP().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// rest gets a path of the REST face into out.
func (w *world) rest(t *testing.T, path string, out any) {
	t.Helper()
	resp := w.call(t, http.MethodGet, path, "")
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %d %v\n%s", path, resp.StatusCode, err, body)
	}
	if err := json.Unmarshal(body, out); err != nil {
		t.Fatalf("GET %s: %v\n%s", path, err, body)
	}
}

// request returns a request.
func (w *world) request(t *testing.T, id string) *requestv1.Request {
	t.Helper()
	got, err := w.Request().GetRequest(limit(t), &requestv1.GetRequestRequest{RequestId: id})
	if err != nil {
		t.Fatalf("request %q: %v", id, err)
	}
	return got.GetRequest()
}

// response returns an answer.
func (w *world) response(t *testing.T, id string) *responsev1.Response {
	t.Helper()
	got, err := w.Response().GetResponse(limit(t), &responsev1.GetResponseRequest{ResponseId: id})
	if err != nil {
		t.Fatalf("response %q: %v", id, err)
	}
	return got.GetResponse()
}

// requestsOf lists the requests of a session.
func (w *world) requestsOf(ctx context.Context, session string) ([]*requestv1.Request, error) {
	page, err := w.Request().ListRequests(ctx, &requestv1.ListRequestsRequest{SessionId: session, PageSize: 1000})
	return page.GetRequests(), err
}

// attempts lists the ledger's rows of a request.
func (w *world) attempts(ctx context.Context, request string) ([]*gptv1.Attempt, error) {
	page, err := w.GPT().ListAttempts(ctx, &gptv1.ListAttemptsRequest{RequestId: request, PageSize: 1000})
	return page.GetAttempts(), err
}

// newSession makes a session.
func (w *world) newSession(t *testing.T) string {
	t.Helper()
	made, err := w.Session().CreateSession(limit(t), &sessionv1.CreateSessionRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return made.GetSession().GetId()
}

// wantState waits until the one request of a session is in a state.
func (w *world) wantState(t *testing.T, session string, want requestv1.Request_State) *requestv1.Request {
	t.Helper()
	var found *requestv1.Request
	eventually(t, func() error {
		list, err := w.requestsOf(limit(t), session)
		if err != nil {
			return err
		}
		if len(list) != 1 {
			return fmt.Errorf("the session has %d requests, want 1", len(list))
		}
		got, err := w.Request().GetRequest(limit(t), &requestv1.GetRequestRequest{RequestId: list[0].GetId()})
		if err != nil {
			return err
		}
		if found = got.GetRequest(); found.GetState() != want {
			return fmt.Errorf("the request is %v, want %v", found.GetState(), want)
		}
		return nil
	})
	return found
}
