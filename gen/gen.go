// Package gen holds what is generated from the contracts: Go stubs and callers
// below go/, and the OpenAPI description of the REST face.
package gen

import _ "embed"

// OpenAPI is the description of the REST face, OpenAPI 3 in YAML.
//
//go:embed openapi/openapi.yaml
var OpenAPI []byte
