package main

import (
	"context"
	"errors"
	"os"
	"strings"

	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/rpc"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// clientFlags say which running mesh a command talks to.
type clientFlags struct {
	Addr   string `help:"gRPC address of the mesh." placeholder:"ADDR" env:"GPTMESH_GRPC" default:"127.0.0.1:4701"`
	Key    string `help:"API key, where the mesh asks for one." placeholder:"KEY" env:"GPTMESH_API_KEY"`
	TLSCA  string `help:"CA certificate, where the mesh speaks TLS." placeholder:"FILE" name:"tls-ca"`
	TLSKey string `help:"Client key, with --tls-cert." placeholder:"FILE" name:"tls-key"`
	TLS    string `help:"Client certificate." placeholder:"FILE" name:"tls-cert"`
}

// dial connects to the mesh.
func (f clientFlags) dial() (*grpc.ClientConn, error) {
	return rpc.Dial(rpc.ClientConfig{Room: "mesh", Address: f.Addr, TLS: rpc.TLSConfig{CA: f.TLSCA, Cert: f.TLS, Key: f.TLSKey}})
}

// context shows the key.
func (f clientFlags) context(ctx context.Context) context.Context {
	key := f.Key
	if key == "" {
		key, _, _ = strings.Cut(os.Getenv("GPTMESH_API_KEYS"), ",")
	}
	if key == "" {
		return ctx
	}
	return metadata.AppendToOutgoingContext(ctx, rpc.AuthorizationKey, "Bearer "+key)
}

// explain makes an error of the mesh readable in a terminal.
func (f clientFlags) explain(err error) error {
	if err == nil {
		return nil
	}
	flt := fault.From(err)
	text := flt.Message
	switch {
	case flt.Metadata["room"] == "mesh":
		text = "no mesh answers at " + f.Addr + ": start one with \"gptmesh up\", or name another with --addr"
	case absent(err):
		text = "the process at " + f.Addr + " does not run the room that this command asks: name one that does with --addr"
	}
	return errors.New(text)
}

// absent says whether a process answered that it lacks the room: gRPC itself
// then, and no room with details.
func absent(err error) bool {
	s, ok := status.FromError(err)
	return ok && s.Code() == codes.Unimplemented && len(s.Details()) == 0
}
