package bedrock_test

import (
	"flag"
	"testing"

	"github.com/gptmesh/gptmesh/wire/bedrock"
	"github.com/gptmesh/gptmesh/wire/wiretest"
)

var update = flag.Bool("update", false, "write golden files")

func TestConformance(t *testing.T) {
	t.Parallel()
	wiretest.Run(t, bedrock.Converse(), wiretest.Fixtures{Dir: "testdata", Update: *update})
}
