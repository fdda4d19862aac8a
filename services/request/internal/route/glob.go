package route

// Match says whether name fits a glob, in which "*" stands for any text, slashes
// too, and "?" for one byte.
func Match(glob, name string) bool {
	star, from := -1, 0
	g, n := 0, 0
	for n < len(name) {
		switch {
		case g < len(glob) && glob[g] == '*':
			star, from = g, n
			g++
		case g < len(glob) && (glob[g] == '?' || glob[g] == name[n]):
			g++
			n++
		case star >= 0:
			from++
			g, n = star+1, from
		default:
			return false
		}
	}
	for g < len(glob) && glob[g] == '*' {
		g++
	}
	return g == len(glob)
}

func matchAny(globs []string, names ...string) bool {
	for _, g := range globs {
		for _, name := range names {
			if name != "" && Match(g, name) {
				return true
			}
		}
	}
	return false
}
