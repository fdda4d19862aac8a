package main

import (
	"context"

	"github.com/gptmesh/gptmesh/gateway"
	"github.com/gptmesh/gptmesh/gateway/edge"
	"github.com/gptmesh/gptmesh/gateway/rest"
	"github.com/gptmesh/gptmesh/gen"
	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/pkg/events/embedded"
	"github.com/gptmesh/gptmesh/services/classifier"
	"github.com/gptmesh/gptmesh/services/gpt"
	"github.com/gptmesh/gptmesh/services/request"
	"github.com/gptmesh/gptmesh/services/response"
	"github.com/gptmesh/gptmesh/services/session"
	"google.golang.org/grpc"
)

// wire is the whole graph, in the order of the data: each room is made of its
// configuration, its store and callers of the rooms that it calls. Whether a
// room is in this process or behind an address is decided by host, here and
// nowhere else.
func wire(ctx context.Context, s *settings, h *host) error {
	if err := h.findOthers(); err != nil {
		return err
	}
	if err := h.openStores(ctx, map[string]migrations{
		"session": session.Migrations, "gpt": gpt.Migrations, "classifier": classifier.Migrations,
		"response": response.Migrations, "request": request.Migrations, eventStore: embedded.Migrations,
	}); err != nil {
		return err
	}
	sessions, err := room(h, "session", sessionv1.RemoteSessionService, func() (roomService, sessionv1.SessionServiceCaller, error) {
		sqlite, postgres := h.store("session")
		svc, err := session.New(s.Session, session.Deps{
			SQLite: sqlite, Postgres: postgres, Events: h.events.recorder("session"),
			Logger: h.logger, Metrics: h.registry, Instance: h.instance,
		})
		return svc, sessionv1.LocalSessionService(svc, h.local), err
	})
	if err != nil {
		return err
	}
	models, err := room(h, "gpt", gptv1.RemoteGPTService, func() (roomService, gptv1.GPTServiceCaller, error) {
		sqlite, postgres := h.store("gpt")
		svc, err := gpt.New(s.GPT, gpt.Deps{
			SQLite: sqlite, Postgres: postgres, Events: h.events.recorder("gpt"),
			Logger: h.logger, Metrics: h.registry, Tracer: h.tracing.Tracer, Instance: h.instance, Version: version,
		})
		return svc, gptv1.LocalGPTService(svc, h.local), err
	})
	if err != nil {
		return err
	}
	labels, err := room(h, "classifier", classifierv1.RemoteClassifierService, func() (roomService, classifierv1.ClassifierServiceCaller, error) {
		sqlite, postgres := h.store("classifier")
		svc, err := classifier.New(s.Classifier, classifier.Deps{
			SQLite: sqlite, Postgres: postgres, GPT: models,
			Events: h.events.recorder("classifier"), Subscriber: h.events.subscriber("classifier"),
			Logger: h.logger, Metrics: h.registry, Instance: h.instance,
		})
		return svc, classifierv1.LocalClassifierService(svc, h.local), err
	})
	if err != nil {
		return err
	}
	answers, err := room(h, "response", responsev1.RemoteResponseService, func() (roomService, responsev1.ResponseServiceCaller, error) {
		sqlite, postgres := h.store("response")
		svc, err := response.New(s.Response, response.Deps{
			SQLite: sqlite, Postgres: postgres, GPT: models, Session: sessions, Classifier: labels, Events: h.events.recorder("response"),
			SessionBehind: h.journal != nil && h.runs("session"),
			Logger:        h.logger, Metrics: h.registry, Instance: h.instance,
		})
		return svc, responsev1.LocalResponseService(svc, h.local), err
	})
	if err != nil {
		return err
	}
	var routing requestv1.RoutingServiceCaller
	remoteRequests := func(conn grpc.ClientConnInterface) requestv1.RequestServiceCaller {
		routing = requestv1.RemoteRoutingService(conn)
		return requestv1.RemoteRequestService(conn)
	}
	requests, err := room(h, "request", remoteRequests, func() (roomService, requestv1.RequestServiceCaller, error) {
		sqlite, postgres := h.store("request")
		svc, err := request.New(s.Request, request.Deps{
			SQLite: sqlite, Postgres: postgres, Response: answers, ResponseApart: !h.runs("response"), Session: sessions, GPT: models,
			Classifier: labels, ClassifierHere: h.runs("classifier"),
			Events: h.events.recorder("request"), Subscriber: h.events.subscriber("request"),
			Logger: h.logger, Metrics: h.registry, Instance: h.instance,
		})
		routing = requestv1.LocalRoutingService(svc, h.local)
		return svc, requestv1.LocalRequestService(svc, h.local), err
	})
	if err != nil {
		return err
	}
	if err := h.events.open(ctx); err != nil {
		return err
	}
	return h.listen(func() (*edge.Edge, error) {
		return gateway.New(s.Gateway, gateway.Deps{
			Request: requests, Response: answers, Session: sessions, GPT: models, Routing: routing,
			GRPC: h.server, Auth: h.authenticator, Limiter: h.limiter, Ready: h.roomsReady, Build: version,
			REST: rest.Deps{
				Session: h.rest, Request: h.rest, Response: h.rest, GPT: h.rest, Classifier: h.rest, Event: h.rest, OpenAPI: gen.OpenAPI,
			},
			Logger: h.logger, Metrics: h.registry, Tracer: h.tracing.Provider(),
		})
	})
}
