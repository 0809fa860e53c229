//go:build tools

// Keeps helm in go.mod; the other commands of this module have a main of their own beside it.
package tools

import _ "helm.sh/helm/v3/cmd/helm"
