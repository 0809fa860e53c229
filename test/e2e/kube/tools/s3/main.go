// An S3 server for the tests: rclone's "serve s3" over its local backend, without the clouds' SDKs.
package main

import (
	"github.com/rclone/rclone/cmd"

	_ "github.com/rclone/rclone/backend/local"
	_ "github.com/rclone/rclone/cmd/serve/s3"
)

func main() { cmd.Main() }
