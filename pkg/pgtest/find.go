package pgtest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// ErrNoServer says that this machine has no PostgreSQL server binaries, and
// how to provide one.
var ErrNoServer = errors.New("no PostgreSQL server found: install one (Debian: apt-get install postgresql), " +
	"put the folder of initdb and postgres on PATH, or set " + EnvURL + " to the URL of a superuser's database")

// installed are the places where distributions put the binaries, off PATH.
var installed = []string{
	"/usr/lib/postgresql/*/bin",
	"/usr/pgsql-*/bin",
	"/opt/homebrew/opt/postgresql*/bin",
	"/usr/local/opt/postgresql*/bin",
}

// binaries returns the folder that holds both initdb and postgres: one on PATH,
// the newest in places, or that of pg_config.
func binaries(places []string) (string, error) {
	var folders []string
	for _, name := range []string{"postgres", "initdb"} {
		if path, err := exec.LookPath(name); err == nil {
			// On PATH there may be a link, the rest of the server is beside
			// what it links to.
			if path, err = filepath.EvalSymlinks(path); err == nil {
				folders = append(folders, filepath.Dir(path))
			}
		}
	}
	for _, pattern := range places {
		found, _ := filepath.Glob(pattern) // the patterns are well-formed
		slices.SortFunc(found, func(a, b string) int { return version(b) - version(a) })
		folders = append(folders, found...)
	}
	if out, err := exec.Command("pg_config", "--bindir").Output(); err == nil {
		folders = append(folders, strings.TrimSpace(string(out)))
	}
	for _, folder := range folders {
		if executable(filepath.Join(folder, "initdb")) && executable(filepath.Join(folder, "postgres")) {
			return folder, nil
		}
	}
	return "", ErrNoServer
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}

// version is the major version in a path such as /usr/lib/postgresql/15/bin.
func version(folder string) int {
	major := strings.FieldsFunc(filepath.Base(filepath.Dir(folder)), func(r rune) bool { return r < '0' || r > '9' })
	if len(major) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(major[0])
	return n
}
