#!/usr/bin/env bash
# After a restore, etcd accepts a watch that continues in the future, and drops what comes before
#
# Version: go.etcd.io/etcd server, client and etcdutl v3.7.3
#
# Expected: a snapshot of etcd is restored while clients live on. A client that reconnects and goes on
# with its watch after the last revision it saw, 26, asks for something that a server at 6 cannot
# know. A Get at that revision is refused, so the watch is refused too, or delivers what is written
# from now on.
#
# Seen: the watch is accepted, says nothing while the key is written 20 times, leaves a request for
# progress unanswered, and then begins at revision 27 as if nothing had been missed. One hint there is:
# the revision in the header of its first answer. A restore that bumps the revision and marks it as
# compacted, which is not the default, ends the watch with an error.
#   | watched up to revision 26, restored a snapshot of revision 6
#   | Get at 27: required revision is a future revision
#   | Watch from 27: created=true canceled=false, header says 6
#   | 20 writes later, at 26: 0 answers; asked for progress: 0 answers
#   | 2 writes later, at 28: events [27 28], error <nil>
#   | restored with a bump, Watch from 27: required revision has been compacted
#
# Why it matters: a cache that such a watch feeds lacks all writes in between for ever, and nobody is
# told; how long it stays deaf depends on how much the restore threw away. Compare the header of the first answer with the revision asked for, restart
# the clients after a restore, or bump the revision.
set -euo pipefail
self=$(realpath "$0")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat > go.mod <<'MOD'
module finding

go 1.26

require (
	go.etcd.io/etcd/client/v3 v3.7.3
	go.etcd.io/etcd/etcdutl/v3 v3.7.3
	go.etcd.io/etcd/server/v3 v3.7.3
)
MOD

cat > main.go <<'GO'
package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/etcdutl/v3/snapshot"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
)

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// start runs etcd on a folder until stop is called.
func start(dir string) (client *clientv3.Client, stop func()) {
	config := embed.NewConfig()
	config.Dir, config.LogLevel = dir, "fatal"
	config.ListenClientUrls = []url.URL{{Scheme: "unix", Path: "client.sock"}}
	config.ListenPeerUrls = []url.URL{{Scheme: "unix", Path: "peer.sock"}}
	server := must(embed.StartEtcd(config))
	<-server.Server.ReadyNotify()
	client = must(clientv3.New(clientv3.Config{
		Endpoints: []string{"unix:client.sock"}, DialTimeout: 10 * time.Second, Logger: zap.NewNop(),
	}))
	return client, func() { client.Close(); server.Close() }
}

func save(client *clientv3.Client) {
	file := must(os.Create("snapshot.db"))
	must(io.Copy(file, must(client.Snapshot(context.Background()))))
	check(file.Close())
}

func restore(dir string, bump uint64) {
	check(snapshot.NewV3(zap.NewNop()).Restore(snapshot.RestoreConfig{
		SnapshotPath: "snapshot.db", Name: "default", OutputDataDir: dir,
		PeerURLs: []string{"http://localhost:2380"}, InitialCluster: "default=http://localhost:2380",
		InitialClusterToken: "restored", RevisionBump: bump, MarkCompacted: bump > 0,
	}))
}

func put(client *clientv3.Client, times int) (revision int64) {
	for range times {
		revision = must(client.Put(context.Background(), "key", "value")).Header.Revision
	}
	return revision
}

func watch(client *clientv3.Client, from int64) clientv3.WatchChan {
	return client.Watch(context.Background(), "key", clientv3.WithRev(from), clientv3.WithCreatedNotify())
}

// within collects what a watch answers in the next second.
func within(answers clientv3.WatchChan) (seen []clientv3.WatchResponse) {
	for timer := time.After(time.Second); ; {
		select {
		case answer := <-answers:
			seen = append(seen, answer)
		case <-timer:
			return seen
		}
	}
}

func reason(err error) string {
	_, text, _ := strings.Cut(err.Error(), "mvcc: ")
	return text
}

func main() {
	ctx := context.Background()
	client, stop := start("first")
	before := put(client, 5)
	save(client)
	last := put(client, 20)
	stop()
	restore("restored", 0)
	client, stop = start("restored")
	fmt.Printf("watched up to revision %d, restored a snapshot of revision %d\n", last, before)

	next := last + 1
	_, err := client.Get(ctx, "key", clientv3.WithRev(next))
	fmt.Printf("Get at %d: %s\n", next, reason(err))
	answers := watch(client, next)
	first := <-answers
	fmt.Printf("Watch from %d: created=%v canceled=%v, header says %d\n",
		next, first.Created, first.Canceled, first.Header.Revision)

	now := put(client, 20)
	written := within(answers)
	check(client.RequestProgress(ctx))
	fmt.Printf("20 writes later, at %d: %d answers; asked for progress: %d answers\n",
		now, len(written), len(within(answers)))

	now = put(client, 2)
	var revisions []int64
	for _, answer := range within(answers) {
		err = answer.Err()
		for _, event := range answer.Events {
			revisions = append(revisions, event.Kv.ModRevision)
		}
	}
	fmt.Printf("2 writes later, at %d: events %v, error %v\n", now, revisions, err)
	stop()

	restore("bumped", 1000)
	client, stop = start("bumped")
	defer stop()
	answers = watch(client, next)
	answer := <-answers
	for answer.Err() == nil {
		answer = <-answers
	}
	fmt.Printf("restored with a bump, Watch from %d: %s\n", next, reason(answer.Err()))
}
GO

go build -mod=mod -o program .
go list -m go.etcd.io/etcd/server/v3 go.etcd.io/etcd/client/v3
./program | tee seen
diff <(sed -n 's/^#   | //p' "$self") seen
