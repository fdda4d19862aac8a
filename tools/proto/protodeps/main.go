// Command protodeps writes the third-party .proto files that the contracts
// import. It prints them from the descriptors compiled into the Go modules that
// go.mod pins: no copied file is committed, and no schema registry is needed.
//
// Usage: protodeps OUT-DIR
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	_ "buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"github.com/jhump/protoreflect/v2/protoprint"
	_ "google.golang.org/genproto/googleapis/api/annotations"
	_ "google.golang.org/genproto/googleapis/api/httpbody"
	_ "google.golang.org/genproto/googleapis/rpc/errdetails"
	_ "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "protodeps:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("usage: protodeps OUT-DIR")
	}
	out := args[0]
	if err := os.RemoveAll(out); err != nil {
		return err
	}
	printer := protoprint.Printer{Compact: true}
	var failed error
	protoregistry.GlobalFiles.RangeFiles(func(fd protoreflect.FileDescriptor) bool {
		if strings.HasPrefix(fd.Path(), "google/protobuf/") { // built into buf
			return true
		}
		failed = write(&printer, fd, filepath.Join(out, filepath.FromSlash(fd.Path())))
		return failed == nil
	})
	return failed
}

func write(printer *protoprint.Printer, fd protoreflect.FileDescriptor, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := printer.PrintProtoFile(fd, f); err != nil {
		f.Close()
		return fmt.Errorf("%s: %w", fd.Path(), err)
	}
	return f.Close()
}
