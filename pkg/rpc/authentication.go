package rpc

import (
	"context"
	"strings"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/auth"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
)

// admit finds out who calls and whether it may call the method. A room shows a
// client certificate or the mesh secret, and then speaks for whom it names;
// everyone else shows an API key.
func admit(ctx context.Context, authenticator *auth.Authenticator, m *Method) (callctx.Principal, error) {
	principal, err := identify(ctx, authenticator)
	scope := m.Policy.GetAuthScope()
	if err != nil && scope != meshv1.AuthScope_AUTH_SCOPE_PUBLIC {
		return callctx.Principal{}, err
	}
	if scope == meshv1.AuthScope_AUTH_SCOPE_INTERNAL && !principal.Internal && !authenticator.Open() {
		return callctx.Principal{}, fault.New(codes.PermissionDenied, meshv1.ErrorReason_ERROR_REASON_PERMISSION_DENIED,
			"this method is for rooms of the mesh", "scope", scope.String())
	}
	return principal, nil
}

func identify(ctx context.Context, authenticator *auth.Authenticator) (callctx.Principal, error) {
	if verifiedPeer(ctx) || authenticator.Room(first(ctx, secretKey)) {
		return spokenFor(first(ctx, principalKey)), nil
	}
	key := auth.Bearer(first(ctx, AuthorizationKey))
	if key == "" {
		key = first(ctx, APIKeyKey)
	}
	return authenticator.Authenticate(key)
}

// spokenFor is the principal that a room names.
func spokenFor(id string) callctx.Principal {
	p := callctx.Principal{ID: id, Internal: true, Kind: callctx.Key}
	switch {
	case id == "":
		p.ID, p.Kind = "room", callctx.Room
	case id == "local":
		p.Kind = callctx.Local
	case strings.HasPrefix(id, "room"):
		p.Kind = callctx.Room
	}
	return p
}

// verifiedPeer says whether the connection showed a certificate of the mesh.
func verifiedPeer(ctx context.Context) bool {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return false
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	return ok && len(info.State.VerifiedChains) > 0
}
