package message_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/services/session/internal/message"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"
)

type part = conversationv1.ContentPart

func of(parts ...*part) *conversationv1.Message {
	return &conversationv1.Message{Role: conversationv1.Role_ROLE_USER, Parts: parts}
}

func words(s string) *part { return &part{Kind: &conversationv1.ContentPart_Text{Text: s}} }

func image(i *conversationv1.Image) *part {
	return &part{Kind: &conversationv1.ContentPart_Image{Image: i}}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	reasoning := func(r *conversationv1.Reasoning) *part {
		return &part{Kind: &conversationv1.ContentPart_Reasoning{Reasoning: r}}
	}
	for name, c := range map[string]struct {
		message *conversationv1.Message
		field   string
	}{
		"text":                {of(words("x")), ""},
		"nil":                 {nil, "role"},
		"no role":             {&conversationv1.Message{Parts: []*part{words("x")}}, "role"},
		"no parts":            {of(), "parts"},
		"blank":               {of(words(" \u2003\n"), words("")), "parts"},
		"blank beside image":  {of(words(""), image(&conversationv1.Image{Url: "https://x"})), ""},
		"image of nothing":    {of(image(&conversationv1.Image{})), "parts"},
		"part of no kind":     {of(words("x"), &part{}), "parts[1].kind"},
		"empty thought":       {of(reasoning(&conversationv1.Reasoning{})), "parts"},
		"signature alone":     {of(reasoning(&conversationv1.Reasoning{Signature: "s"})), ""},
		"tool call":           {of(&part{Kind: &conversationv1.ContentPart_ToolCall{ToolCall: &conversationv1.ToolCall{}}}), ""},
		"result of no output": {of(&part{Kind: &conversationv1.ContentPart_ToolResult{ToolResult: &conversationv1.ToolResult{}}}), ""},
		"id with NUL":         {&conversationv1.Message{Id: "a\x00", Role: 2, Parts: []*part{words("x")}}, "id"},
		"id not UTF-8":        {&conversationv1.Message{Id: "\xff", Role: 2, Parts: []*part{words("x")}}, "id"},
	} {
		problem := message.Check(c.message)
		if field := ""; problem != nil {
			if field = problem.Field; field != c.field {
				t.Errorf("%s: got %+v, want %q", name, problem, c.field)
			}
		} else if c.field != "" {
			t.Errorf("%s: passed, want %q", name, c.field)
		}
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	file := func(f *conversationv1.File) *part { return &part{Kind: &conversationv1.ContentPart_File{File: f}} }
	for name, c := range map[string]struct {
		message *conversationv1.Message
		want    int64
	}{
		"frame":        {of(), 4},
		"rounded up":   {of(words("12345")), 4 + 2},
		"rounded once": {of(words("1"), words("2"), words("3")), 4 + 1},
		"bytes":        {of(words("試試")), 4 + 2},
		"name":         {&conversationv1.Message{Name: "abcd", Parts: []*part{words("abcd")}}, 4 + 2},
		"image":        {of(image(&conversationv1.Image{Data: make([]byte, 1<<20)})), 4 + 1024},
		"low image":    {of(image(&conversationv1.Image{Detail: "low"})), 4 + 85},
		"audio":        {of(&part{Kind: &conversationv1.ContentPart_Audio{Audio: &conversationv1.Audio{Data: make([]byte, 3200), Transcript: "abcd"}}}), 4 + 2 + 1},
		"text file":    {of(file(&conversationv1.File{Data: make([]byte, 400), MediaType: "text/csv"})), 4 + 100},
		"pdf":          {of(file(&conversationv1.File{Data: make([]byte, 3200), MediaType: "application/pdf"})), 4 + 100},
		"file id":      {of(file(&conversationv1.File{FileId: "f"})), 4 + 2048},
		"call":         {of(&part{Kind: &conversationv1.ContentPart_ToolCall{ToolCall: &conversationv1.ToolCall{Name: "abcd", ArgumentsJson: `{"a":12}`}}}), 4 + 3},
		"result":       {of(&part{Kind: &conversationv1.ContentPart_ToolResult{ToolResult: &conversationv1.ToolResult{Parts: []*part{words("abcd"), image(nil)}}}}), 4 + 1 + 1024},
	} {
		if got := message.Tokens(c.message); got != c.want {
			t.Errorf("%s: %d tokens, want %d", name, got, c.want)
		}
	}
}

func TestEncode(t *testing.T) {
	t.Parallel()
	m := of(words("hello"))
	m.Name, m.WireRole, m.ExtraJson, m.Version, m.CreateTime = "n", "w", "{}", 9, timestamppb.Now()
	kept := message.New(m, "id")
	record, err := message.Encode(kept)
	if err != nil {
		t.Fatal(err)
	}
	record.Version, record.CreateTime = 3, time.Unix(1, 2000).UTC()
	want := message.Place(kept, record)
	got, err := message.Decode(record)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got.GetVersion() != 3 || got.GetId() != "id" || m.GetId() != "" {
		t.Errorf("got %v", got)
	}
	if _, err := message.Encode(of(words("\xff"))); err == nil {
		t.Error("text that is not UTF-8 was taken")
	}
	record.Body = []byte(strings.Repeat("\xff", 9))
	if _, err := message.Decode(record); err == nil {
		t.Error("a damaged body was taken")
	}
}
