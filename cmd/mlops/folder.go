package main

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/mlops-platform/mooring/internal/worktree"
	"github.com/mlops-platform/mooring/schemas"
)

// readFolder reads the model repository in a folder for a command whose one
// argument it is. A file of one, or a folder inside one, is a wrong call that
// names the repository: it would be checked as if all the rest were missing.
func readFolder(cmd *cobra.Command, args []string) ([]schemas.File, error) {
	dir := folderOf(args)
	files, err := worktree.Read(dir)
	if err == nil && len(files) > 0 {
		return files, nil
	}
	if root := rootAbove(dir); root != "" {
		if err == nil {
			return nil, usage("%s is inside of a model repository; did you mean '%s %s'?", dir, cmd.CommandPath(), root)
		}
		return nil, usage("%w; did you mean '%s %s'?", err, cmd.CommandPath(), root)
	}
	if errors.Is(err, worktree.ErrNotFolder) {
		return nil, usage("%w; give the folder where %s lies", err, schemas.GovernancePath)
	}
	return files, asUsage(err)
}

// folderOf is the folder that a command's one argument names: the current one
// without an argument.
func folderOf(args []string) string {
	if len(args) == 1 {
		return args[0]
	}
	return "."
}

// rootAbove is the model repository that a path lies in, as one would type it
// here; empty where it lies in none. A Git repository around it is the last that
// is looked at.
func rootAbove(path string) string {
	at, err := filepath.Abs(path)
	if err != nil {
		return ""
	}
	for {
		if exists(filepath.Join(at, schemas.GovernancePath)) {
			return likeTyped(at, path)
		}
		above := filepath.Dir(at)
		if above == at || exists(filepath.Join(at, ".git")) {
			return ""
		}
		at = above
	}
}

// likeTyped is a folder by its path from here, unless what was typed is absolute.
func likeTyped(dir, typed string) string {
	here, err := os.Getwd()
	if err != nil || filepath.IsAbs(typed) {
		return dir
	}
	if path, err := filepath.Rel(here, dir); err == nil {
		return path
	}
	return dir
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
