package openai_test

import (
	"bytes"
	"context"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gptmesh/gptmesh/gateway/gatewaytest"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/grpc/codes"
)

// passing notes the call and answers in pieces.
func passing(got **gptv1.ForwardRequest, err error, pieces ...*gptv1.ForwardResponse) func(context.Context, *gptv1.ForwardRequest, func(*gptv1.ForwardResponse) error) error {
	return func(_ context.Context, request *gptv1.ForwardRequest, sink func(*gptv1.ForwardResponse) error) error {
		if got != nil {
			*got = request
		}
		for _, piece := range pieces {
			if err := sink(piece); err != nil {
				return err
			}
		}
		return err
	}
}

func head(status int32, contentType string) *gptv1.ForwardResponse {
	return &gptv1.ForwardResponse{Status: status, Headers: map[string]string{"content-type": contentType, "x-ratelimit-remaining-tokens": "7", "retry-after": "3"}}
}

func data(s string) *gptv1.ForwardResponse { return &gptv1.ForwardResponse{Data: []byte(s)} }

func TestForwardTranscripts(t *testing.T) {
	t.Parallel()
	cut := fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_STREAM_TRUNCATED, "the provider cut its answer")
	lacks := fault.New(codes.Unimplemented, meshv1.ErrorReason_ERROR_REASON_UNSUPPORTED, "the provider p cannot do audio speech, asked for with the model m",
		"field", "model", "model", "m")
	for _, c := range []struct {
		name, path, body string
		forward          func(context.Context, *gptv1.ForwardRequest, func(*gptv1.ForwardResponse) error) error
		operation        gptv1.Operation
		model            string
	}{
		{"speech", "/v1/audio/speech", `{"model":"tts-1","input":"hi"}`, passing(nil, nil, head(200, "audio/mpeg"), data("ID3"), data("mp3\n")), gptv1.Operation_OPERATION_AUDIO_SPEECH, "tts-1"},
		{"speech_stream_error", "/audio/speech", `{"model":"tts-1"}`, passing(nil, cut, head(200, "text/event-stream; charset=utf-8"), data("data: 1\n\n")), gptv1.Operation_OPERATION_AUDIO_SPEECH, "tts-1"},
		{"speech_unsupported", "/v1/audio/speech", `{"model":"m"}`, passing(nil, lacks), gptv1.Operation_OPERATION_AUDIO_SPEECH, "m"},
		{"moderation", "/v1/moderations", `{"input":"x"}`, passing(nil, nil, head(200, "application/json"), data(`{"id":"modr-1"}`+"\n")), gptv1.Operation_OPERATION_MODERATION, ""},
		{"image_refused", "/openai/v1/images/generations", `{"model":"dall-e-3"}`, passing(nil, nil, head(400, "application/json"), data(`{"error":{"code":"x"}}`+"\n")), gptv1.Operation_OPERATION_IMAGE_GENERATION, "dall-e-3"},
		{"image_azure", "/openai/deployments/pics/images/generations?api-version=1", `{"prompt":"cat"}`, passing(nil, nil, head(200, "application/json"), data("{}\n")), gptv1.Operation_OPERATION_IMAGE_GENERATION, "pics"},
		{"forward_not_json", "/v1/moderations", `input=x`, nil, 0, ""},
		{"forward_model_twice", "/v1/moderations", `{"model":"a","model":"b"}`, nil, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := newMesh(t, nil)
			var got *gptv1.ForwardRequest
			if c.forward != nil {
				m.gpt.ForwardFunc = func(ctx context.Context, r *gptv1.ForwardRequest, sink func(*gptv1.ForwardResponse) error) error {
					got = r
					return c.forward(ctx, r, sink)
				}
			}
			gatewaytest.Golden(t, c.name+".txt", gatewaytest.Transcript(t, gatewaytest.Client(t), gatewaytest.Serve(t, m.edge), "POST", c.path, c.body))
			if got.GetOperation() != c.operation || got.GetModel() != c.model || got != nil && (string(got.GetBody()) != c.body || got.GetRequestId() == "") {
				t.Error(got)
			}
		})
	}
}

func TestForwardReadsForms(t *testing.T) {
	t.Parallel()
	m := newMesh(t, nil)
	var got *gptv1.ForwardRequest
	m.gpt.ForwardFunc = passing(&got, nil, head(200, "application/json"), data("{}"))
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	file, err := w.CreateFormFile("file", "a.wav")
	if err != nil {
		t.Fatal(err)
	}
	file.Write([]byte("\x00\xffRIFF"))
	w.WriteField("model", "whisper-1")
	w.Close()
	sent := form.String()
	url := gatewaytest.Serve(t, m.edge)
	for path, operation := range map[string]gptv1.Operation{
		"/v1/audio/transcriptions": gptv1.Operation_OPERATION_AUDIO_TRANSCRIPTION, "/v1/audio/translations": gptv1.Operation_OPERATION_AUDIO_TRANSLATION,
		"/v1/images/edits": gptv1.Operation_OPERATION_IMAGE_EDIT, "/images/variations": gptv1.Operation_OPERATION_IMAGE_VARIATION,
	} {
		resp, err := gatewaytest.Client(t).Post(url+path, w.FormDataContentType(), strings.NewReader(sent))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 200 || got.GetModel() != "whisper-1" || got.GetOperation() != operation || got.GetContentType() != w.FormDataContentType() || string(got.GetBody()) != sent {
			t.Error(path, resp.Status, got)
		}
	}
	for contentType, body := range map[string]string{"multipart/form-data": sent, "multipart/form-data; boundary=x": sent, w.FormDataContentType(): sent[:200]} {
		resp, err := gatewaytest.Client(t).Post(url+"/v1/audio/transcriptions", contentType, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 400 {
			t.Error(contentType, resp.Status)
		}
	}
}

// TestForwardBreaksOff holds that an answer without words for an error never
// looks whole after one.
func TestForwardBreaksOff(t *testing.T) {
	t.Parallel()
	m := newMesh(t, nil)
	m.gpt.ForwardFunc = passing(nil, fault.Internal(nil), head(200, "audio/mpeg"), data("half"))
	resp, err := gatewaytest.Client(t).Post(gatewaytest.Serve(t, m.edge)+"/v1/audio/speech", "application/json", strings.NewReader(`{"model":"m"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.ReadAll(resp.Body); err == nil {
		t.Error("the answer looked whole")
	}
}

// TestForwardClientThatLeaves holds that the call is ended when its client goes.
func TestForwardClientThatLeaves(t *testing.T) {
	t.Parallel()
	m := newMesh(t, nil)
	left := make(chan struct{})
	m.gpt.ForwardFunc = func(ctx context.Context, _ *gptv1.ForwardRequest, sink func(*gptv1.ForwardResponse) error) error {
		if err := sink(&gptv1.ForwardResponse{Status: 200, Data: []byte("a")}); err != nil {
			return err
		}
		<-ctx.Done()
		close(left)
		return ctx.Err()
	}
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, gatewaytest.Serve(t, m.edge)+"/v1/audio/speech", strings.NewReader(`{"model":"m"}`))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := gatewaytest.Client(t).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	cancel()
	<-left
}

func FuzzModelOf(f *testing.F) {
	f.Add("application/json", []byte(`{"model":"a"}`))
	f.Add("multipart/form-data; boundary=B", []byte("--B\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n--B--\r\n"))
	m := newMesh(f, nil)
	m.gpt.ForwardFunc = passing(nil, nil, head(200, "application/json"), data("{}"))
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost/v1/moderations", bytes.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		w := httptest.NewRecorder()
		m.edge.ServeHTTP(w, r)
		if w.Code != 200 && w.Code != 400 {
			t.Fatal(w.Code, w.Body.String())
		}
	})
}
