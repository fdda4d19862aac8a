package edge

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/gptmesh/gptmesh/pkg/fault"
)

// logLine writes the request's line. Headers, bodies and the path itself, which
// can hold a key, are never in it.
func (x *Exchange) logLine(status int, duration time.Duration) {
	level := slog.LevelInfo
	switch {
	case x.route != nil && x.route.Public && status < 400:
		level = slog.LevelDebug
	case status == http.StatusInternalServerError:
		level = slog.LevelError
	case status >= 500:
		level = slog.LevelWarn
	}
	logger := x.edge.deps.Logger
	if !logger.Enabled(x.ctx, level) {
		return
	}
	var room [12]slog.Attr
	attrs := append(room[:0],
		slog.String("request_id", x.call.RequestID),
		slog.String("principal", x.call.Principal.ID),
		slog.String("method", x.r.Method),
		slog.String("route", x.routeName()),
		slog.Int("status", status),
		slog.Int64("bytes", x.bytes),
		slog.Duration("duration", duration),
	)
	if x.model != "" {
		attrs = append(attrs, slog.String("model", x.model))
	}
	if x.streaming {
		attrs = append(attrs, slog.Bool("stream", true))
	}
	if x.failure != nil {
		f := fault.From(x.failure)
		attrs = append(attrs, slog.String("reason", fault.ReasonName(f.Reason)), slog.String("error", f.Error()))
	}
	// Made here, a record need not know the line of the program that made it.
	record := slog.NewRecord(time.Now(), level, "request", 0)
	record.AddAttrs(attrs...)
	_ = logger.Handler().Handle(x.ctx, record)
}

func (x *Exchange) routeName() string {
	if x.route != nil {
		return x.route.Pattern
	}
	return "unmatched"
}

// methodName is a method fit for a label.
func methodName(method string) string {
	switch method {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS":
		return method
	case "":
		return "any"
	}
	return "other"
}
