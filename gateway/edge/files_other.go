//go:build !unix

package edge

// files is how many files this process may open; 0 where there is no limit.
func files() int { return 0 }
