package chaos

import (
	"flag"
	"time"
)

var (
	long = flag.Bool("chaos.long", false, "200 clients, for chaos.for")
	span = flag.Duration("chaos.for", 3*time.Minute, "how long things are broken in the long form")
	seed = flag.Uint64("chaos.seed", 0, "repeats the choices of a run; 0 takes new ones")
)
