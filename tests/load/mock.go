package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// script is what the mock provider is asked to do, in the member user:
// "?size=1300&tokens=200&gap=5ms&first=0s".
type script struct {
	size   int
	tokens int
	gap    time.Duration
	first  time.Duration
}

func parseScript(user string) script {
	s := script{size: 1300, tokens: 200}
	_, query, _ := strings.Cut(user, "?")
	for _, pair := range strings.Split(query, "&") {
		key, value, _ := strings.Cut(pair, "=")
		switch key {
		case "size":
			s.size, _ = strconv.Atoi(value)
		case "tokens":
			s.tokens, _ = strconv.Atoi(value)
		case "gap":
			s.gap, _ = time.ParseDuration(value)
		case "first":
			s.first, _ = time.ParseDuration(value)
		}
	}
	return s
}

// serveMock is a provider that answers as scripted, on OpenAI's wire and the others.
func serveMock(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/chat/completions", mockChat)
	mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"object":"list","data":[{"id":"mock","object":"model","created":1,"owned_by":"mock"}]}`)
	})
	serveDialects(mux)
	return http.Serve(listener, mux)
}

func mockChat(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	var asked struct {
		User   string
		Stream bool
	}
	if err := json.Unmarshal(body, &asked); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s := parseScript(asked.User)
	if s.first > 0 {
		time.Sleep(s.first)
	}
	if !asked.Stream {
		w.Header().Set("Content-Type", "application/json")
		answer := wholeAnswer(s.size)
		w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
		io.WriteString(w, answer)
		return
	}
	streamAnswer(w, s)
}

func wholeAnswer(size int) string {
	const frame = `{"id":"chatcmpl-mock","object":"chat.completion","created":1760000000,"model":"mock","choices":[{"index":0,"message":{"role":"assistant","content":"%s"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21}}`
	return fmt.Sprintf(frame, prose(rand.IntN(1<<20), max(1, size-len(frame))))
}

// marker ends a token with the time of its making, for the delay of each event.
const marker = "@"

func streamAnswer(w http.ResponseWriter, s script) {
	w.Header().Set("Content-Type", "text/event-stream")
	flush := w.(http.Flusher).Flush
	event := func(delta, finish string) {
		fmt.Fprintf(w, `data: {"id":"chatcmpl-mock","object":"chat.completion.chunk","created":1760000000,"model":"mock","choices":[{"index":0,"delta":%s,"logprobs":null,"finish_reason":%s}]}`+"\n\n", delta, finish)
	}
	event(`{"role":"assistant","content":""}`, "null")
	for i := range s.tokens {
		if s.gap > 0 {
			flush()
			time.Sleep(s.gap)
		} else if i%8 == 0 {
			flush()
		}
		event(`{"content":"`+strconv.FormatInt(time.Now().UnixNano(), 10)+marker+`"}`, "null")
	}
	event(`{}`, `"stop"`)
	io.WriteString(w, "data: {\"id\":\"chatcmpl-mock\",\"object\":\"chat.completion.chunk\",\"created\":1760000000,\"model\":\"mock\",\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":200,\"total_tokens\":209}}\n\n")
	io.WriteString(w, "data: [DONE]\n\n")
}
