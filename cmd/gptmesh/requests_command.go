package main

import (
	"context"
	"fmt"
	"io"
	"time"

	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// requestsCommand reads what became of requests.
type requestsCommand struct {
	Show requestsShowCommand `cmd:"" help:"Show a request: its state, usage, and why its model was chosen."`
	List requestsListCommand `cmd:"" help:"List requests, newest first."`
}

type requestsShowCommand struct {
	routingFlags
	ID string `arg:"" help:"The request, as in the header x-gptmesh-request."`
}

// Run shows a request.
func (c requestsShowCommand) Run() error {
	return c.requests(func(ctx context.Context, requests requestv1.RequestServiceCaller) error {
		resp, err := requests.GetRequest(ctx, &requestv1.GetRequestRequest{RequestId: c.ID})
		if err != nil {
			return err
		}
		r := resp.GetRequest()
		return c.print(r, func(w io.Writer) {
			fmt.Fprintf(w, "Request:\t%s, %s\n", r.GetId(), word(r.GetState()))
			fmt.Fprintf(w, "Accepted:\t%s\n", r.GetCreateTime().AsTime().Local().Format(time.DateTime))
			if r.GetFinishTime() != nil {
				fmt.Fprintf(w, "Lasted:\t%s\n", r.GetFinishTime().AsTime().Sub(r.GetCreateTime().AsTime()).Round(time.Millisecond))
			}
			fmt.Fprintf(w, "Answer:\t%s\n", r.GetResponseId())
			if r.GetSessionId() != "" {
				fmt.Fprintf(w, "Session:\t%s\n", r.GetSessionId())
			}
			if u := r.GetUsage(); u != nil {
				fmt.Fprintf(w, "Tokens:\t%d in, %d out\n", u.GetInputTokens(), u.GetOutputTokens())
			}
			if f := r.GetFailure(); f != nil {
				fmt.Fprintf(w, "Failure:\t%s\n", f.GetMessage())
			}
			fmt.Fprintf(w, "Asked for:\t%s\n", orDash(r.GetModel()))
			printDecision(w, r.GetDecision())
		})
	})
}

type requestsListCommand struct {
	routingFlags
	Since   time.Duration `help:"How far back; 0 means all." default:"24h"`
	Session string        `help:"Only those of a session." placeholder:"ID"`
	Limit   int32         `help:"The most to list, up to 1000." default:"50"`
}

// Run lists requests.
func (c requestsListCommand) Run() error {
	return c.requests(func(ctx context.Context, requests requestv1.RequestServiceCaller) error {
		req := &requestv1.ListRequestsRequest{SessionId: c.Session, PageSize: c.Limit}
		if c.Since > 0 {
			req.After = timestamppb.New(time.Now().Add(-c.Since))
		}
		resp, err := requests.ListRequests(ctx, req)
		if err != nil {
			return err
		}
		return c.print(resp, func(w io.Writer) {
			fmt.Fprintln(w, "REQUEST\tACCEPTED\tSTATE\tASKED FOR\tPOLICY\tMODEL\tIN\tOUT")
			for _, r := range resp.GetRequests() {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%d\n", r.GetId(), r.GetCreateTime().AsTime().Local().Format(time.DateTime), word(r.GetState()),
					orDash(r.GetModel()), r.GetDecision().GetPolicy(), r.GetDecision().GetModel(), r.GetUsage().GetInputTokens(), r.GetUsage().GetOutputTokens())
			}
		})
	})
}

// requests calls the request room.
func (f routingFlags) requests(do func(ctx context.Context, requests requestv1.RequestServiceCaller) error) error {
	conn, err := f.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(f.context(context.Background()), 30*time.Second)
	defer cancel()
	return f.explain(do(ctx, requestv1.RemoteRequestService(conn)))
}
