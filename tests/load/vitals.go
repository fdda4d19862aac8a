package main

import (
	"fmt"
	"os"
	"slices"
	"time"
)

// vitals print what the program takes before it has done anything: the size of
// its file, the time to ready, and memory.
func vitals(p plan, upstream string) error {
	info, err := os.Stat(p.binary)
	if err != nil {
		return err
	}
	fmt.Printf("binary: %.1f MB (%s)\n", float64(info.Size())/(1<<20), p.binary)
	folder, err := os.MkdirTemp("", "gptmesh-start-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	p.shape, p.database = "up", ""
	const starts = 5
	for _, again := range []bool{false, true} {
		var clock, cpu []time.Duration
		var memory int64
		for i := range starts {
			begin := time.Now()
			mesh, err := spawnMesh(p, p.binary, upstream, fmt.Sprint(folder, "/", i))
			if err != nil {
				return err
			}
			clock, cpu = append(clock, time.Since(begin)), append(cpu, mesh.cpu())
			time.Sleep(time.Second) // what is done beside the start
			memory = max(memory, mesh.memory())
			mesh.stop()
		}
		slices.Sort(clock)
		slices.Sort(cpu)
		where := "in an empty folder"
		if again {
			where = "in a folder of before"
		}
		fmt.Printf("start to ready %s: %v, %v of CPU (median of %d; the quickest %v); idle memory at most %.1f MB\n", where,
			clock[starts/2].Round(time.Millisecond), cpu[starts/2].Round(time.Millisecond), starts, clock[0].Round(time.Millisecond), float64(memory)/(1<<20))
	}
	return nil
}
