package main

import (
	"fmt"
	"time"

	"github.com/gptmesh/gptmesh/pkg/pki"
)

type certsCommand struct {
	Dir   string        `arg:"" help:"Folder for the files."`
	Hosts []string      `help:"DNS names and addresses that the certificates are good for." default:"localhost,127.0.0.1,::1"`
	Valid time.Duration `help:"How long the certificates last." default:"8760h"`
}

// Run makes a CA, unless one is there, and a certificate for each room.
func (c certsCommand) Run() error {
	files, err := pki.Make(pki.Config{Dir: c.Dir, Names: allRooms, Hosts: c.Hosts, Valid: c.Valid})
	for _, f := range files {
		fmt.Println(f)
	}
	if err != nil {
		return err
	}
	fmt.Printf("\nEach process takes tls.ca, tls.cert and tls.key in its configuration, or:\n"+
		"  GPTMESH_TLS_CA=%[1]s/ca.pem GPTMESH_TLS_CERT=%[1]s/session.pem GPTMESH_TLS_KEY=%[1]s/session.key gptmesh serve session\n", c.Dir)
	return nil
}
