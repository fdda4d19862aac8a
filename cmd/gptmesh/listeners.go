package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/pprof"
	"slices"
	"syscall"
	"time"

	"github.com/gptmesh/gptmesh/gateway/edge"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/lifecycle"
	"github.com/gptmesh/gptmesh/pkg/rpc"
	"github.com/gptmesh/gptmesh/pkg/socket"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
)

// closeTimeout bounds how long a listener waits for calls that were told to end.
const closeTimeout = 3 * time.Second

// healthInterval is how often the health service looks at the rooms.
const healthInterval = time.Second

// listen opens a listener; the error says which setting to change.
func listen(name, address string) (net.Listener, error) {
	listener, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s: something listens at %s already: stop it, or choose another address with --%s", name, address, name)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return listener, nil
}

// serveGRPC listens for native clients and other processes.
func (h *host) serveGRPC(address string) error {
	checker := health.NewServer()
	healthv1.RegisterHealthServer(h.server, checker)
	reflection.Register(h.server)
	if err := h.policies.Cover(h.server); err != nil {
		return err
	}
	services := slices.Collect(maps.Keys(h.server.GetServiceInfo()))
	for _, service := range services {
		checker.SetServingStatus(service, healthv1.HealthCheckResponse_SERVING) // as "" is, until the first look
	}
	listener, err := listen("grpc", address)
	if err != nil {
		return err
	}
	h.settings.GRPC = listener.Addr().String()
	listeners := append(rpc.ListenNear(listener.Addr()), listener)
	served, stopped := make(chan error, len(listeners)), make(chan struct{})
	watching, stop := context.WithCancel(context.Background())
	watched := make(chan struct{})
	h.group.Add(lifecycle.Component{
		Name: "grpc",
		Start: func(context.Context) error {
			for _, l := range listeners {
				go func() { served <- h.server.Serve(l) }()
			}
			go func() { defer close(watched); h.reportHealth(watching, checker, services) }()
			return nil
		},
		Drain: func(ctx context.Context) error {
			checker.Shutdown()
			go func() { defer close(stopped); h.server.GracefulStop() }()
			wait(ctx, stopped)
			return nil
		},
		Close: func() error {
			ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
			defer cancel()
			wait(ctx, stopped)
			h.server.Stop()
			for range listeners {
				<-served
			}
			stop()
			<-watched
			return nil
		},
	})
	return nil
}

// reportHealth keeps the health service at the rooms' real state: each part under
// its name, and the process under "" and the names of the services that it has.
func (h *host) reportHealth(ctx context.Context, checker *health.Server, services []string) {
	ticker := time.NewTicker(healthInterval)
	defer ticker.Stop()
	for {
		overall := healthv1.HealthCheckResponse_SERVING
		for _, s := range h.group.Ready(ctx) {
			status := healthv1.HealthCheckResponse_SERVING
			if s.Err != nil {
				status, overall = healthv1.HealthCheckResponse_NOT_SERVING, healthv1.HealthCheckResponse_NOT_SERVING
			}
			checker.SetServingStatus(s.Name, status)
		}
		checker.SetServingStatus("", overall)
		for _, service := range services {
			checker.SetServingStatus(service, overall)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// serveHTTP listens for the faces' clients.
func (h *host) serveHTTP(address string, e *edge.Edge) error {
	listener, err := listen("http", address)
	if err != nil {
		return err
	}
	h.settings.HTTP = listener.Addr().String()
	component := httpComponent("http", e.Server(), socket.Listener(listener))
	component.Drain = func(ctx context.Context) error {
		if err := e.Drain(ctx); err != nil && ctx.Err() == nil {
			return err
		}
		return nil
	}
	end := component.Close
	component.Close = func() error { return errors.Join(e.Close(), end()) }
	h.group.Add(component)
	return nil
}

// roomsReady is the state of every part of the process, for /readyz.
func (h *host) roomsReady(ctx context.Context) []edge.Room {
	var out []edge.Room
	for _, s := range h.group.Ready(ctx) {
		out = append(out, edge.Room{Name: s.Name, Err: s.Err})
	}
	return out
}

// serveAdmin listens for operators: metrics and profiles.
func (h *host) serveAdmin(address string) error {
	if address == "" {
		return nil
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(h.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", h.ready)
	listener, err := listen("admin", address)
	if err != nil {
		return err
	}
	h.settings.Admin = listener.Addr().String()
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	h.group.Add(httpComponent("admin", server, listener))
	return nil
}

func (h *host) ready(w http.ResponseWriter, r *http.Request) {
	for _, s := range h.group.Ready(r.Context()) {
		if s.Err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprintf(w, "%s: not ready: %s\n", s.Name, fault.From(s.Err).Message)
			return
		}
	}
	fmt.Fprintln(w, "ok")
}

// httpServer is what an HTTP server does, net/http's and the edge's.
type httpServer interface {
	Serve(net.Listener) error
	Shutdown(context.Context) error
	Close() error
}

// httpComponent serves until closed. Closing cuts nothing off that ends soon:
// the rooms have ended long streams by then, and their endings reach clients.
func httpComponent(name string, server httpServer, listener net.Listener) lifecycle.Component {
	served := make(chan error, 1)
	return lifecycle.Component{
		Name: name,
		Start: func(context.Context) error {
			go func() { served <- server.Serve(listener) }()
			return nil
		},
		Close: func() error {
			ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
			defer cancel()
			if err := server.Shutdown(ctx); err != nil {
				server.Close()
			}
			<-served
			return nil
		},
	}
}

// reachable says whether a connection to another room stands, and tries to make
// one where it is idle.
func reachable(conn *grpc.ClientConn, name string) func(context.Context) error {
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		for {
			state := conn.GetState()
			if state == connectivity.Ready {
				return nil
			}
			conn.Connect()
			if state == connectivity.TransientFailure || !conn.WaitForStateChange(ctx, state) {
				return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_ROOM_UNAVAILABLE, "the "+name+" room cannot be reached", "room", name)
			}
		}
	}
}

func wait(ctx context.Context, done <-chan struct{}) {
	select {
	case <-ctx.Done():
	case <-done:
	}
}
