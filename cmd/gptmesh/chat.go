package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/grpc/codes"
)

type chatCommand struct {
	clientFlags
	Prompt  []string `arg:"" optional:"" help:"Say this and leave; without it, talk line by line."`
	Model   string   `help:"Model; empty for the default." short:"m" placeholder:"NAME"`
	Session string   `help:"Session to go on with; empty for a new one." short:"s" placeholder:"ID"`
	System  string   `help:"Instructions for the model." placeholder:"TEXT"`
	Think   bool     `help:"Show what the model thinks."`
}

// Run talks with a model.
func (c *chatCommand) Run() error {
	conn, err := c.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	chat := &conversation{flags: c, requests: requestv1.RemoteRequestService(conn), session: c.Session, out: os.Stdout, typed: terminal(os.Stdin)}
	if chat.session == "" {
		chat.session = "new"
	}
	if len(c.Prompt) > 0 {
		return c.explain(chat.turn(strings.Join(c.Prompt, " ")))
	}
	return chat.lines(os.Stdin)
}

// conversation is one session in the terminal.
type conversation struct {
	flags    *chatCommand
	requests requestv1.RequestServiceCaller
	session  string
	out      io.Writer
	typed    bool // somebody types, and is shown a prompt
	told     bool // the system message has been sent
	begun    bool // something of the answer has been printed
}

// terminal says whether a file is one.
func terminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// lines reads what to say until the input ends or says /bye; where nobody types,
// until something fails, too.
func (c *conversation) lines(in io.Reader) error {
	reader := bufio.NewReader(in)
	for {
		if c.typed {
			fmt.Fprint(c.out, ">>> ")
		}
		line, err := reader.ReadString('\n')
		line = strings.TrimSpace(line)
		if line == "/bye" || line == "" && err != nil {
			if c.typed && c.session != "new" {
				fmt.Fprintf(c.out, "\nGo on later with: gptmesh chat --session %s\n", c.session)
			}
			return nil
		}
		if line == "" {
			continue
		}
		if turnErr := c.flags.explain(c.turn(line)); turnErr != nil {
			if !c.typed { // a script must learn of it
				return turnErr
			}
			fmt.Fprintln(os.Stderr, "error:", turnErr)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
	}
}

// turn says one thing and prints the answer as it comes. An interrupt cancels
// the turn, not the conversation.
func (c *conversation) turn(text string) error {
	ctx, stop := signal.NotifyContext(c.flags.context(context.Background()), os.Interrupt)
	defer stop()
	turn := &conversationv1.Turn{Model: c.flags.Model, Stream: true}
	if c.flags.System != "" && !c.told {
		turn.Messages = append(turn.Messages, message(conversationv1.Role_ROLE_SYSTEM, c.flags.System))
	}
	turn.Messages = append(turn.Messages, message(conversationv1.Role_ROLE_USER, text))
	c.begun = false
	err := c.requests.Submit(ctx, &requestv1.SubmitRequest{Turn: turn, SessionId: c.session}, c.print)
	if c.begun || err == nil {
		fmt.Fprintln(c.out)
	}
	if fault.From(err) != nil && fault.From(err).Code == codes.Canceled {
		fmt.Fprintln(c.out, "(cancelled)")
		return nil
	}
	if err == nil {
		c.told = true
	}
	return err
}

func message(role conversationv1.Role, text string) *conversationv1.Message {
	return &conversationv1.Message{Role: role, Parts: []*conversationv1.ContentPart{{Kind: &conversationv1.ContentPart_Text{Text: text}}}}
}

func (c *conversation) print(step *requestv1.SubmitResponse) error {
	if id := step.GetRequest().GetSessionId(); id != "" {
		c.session = id
	}
	for _, event := range step.GetChunk().GetEvents() {
		switch event.GetKind().(type) {
		case *conversationv1.Event_Text, *conversationv1.Event_Reasoning, *conversationv1.Event_ToolCall:
			c.begun = true
		}
		switch kind := event.GetKind().(type) {
		case *conversationv1.Event_Text:
			fmt.Fprint(c.out, kind.Text.GetText())
		case *conversationv1.Event_Reasoning:
			if c.flags.Think {
				fmt.Fprint(c.out, kind.Reasoning.GetText())
			}
		case *conversationv1.Event_ToolCall:
			if kind.ToolCall.GetName() != "" {
				fmt.Fprintf(c.out, "\n[wants to call %s] ", kind.ToolCall.GetName())
			}
			fmt.Fprint(c.out, kind.ToolCall.GetArgumentsJson())
		case *conversationv1.Event_Failed:
			return fmt.Errorf("the answer broke off: %s", kind.Failed.GetMessage())
		}
	}
	return nil
}
