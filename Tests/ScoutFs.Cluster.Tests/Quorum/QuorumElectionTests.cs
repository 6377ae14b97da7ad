using System;
using System.Collections.Generic;
using System.Linq;
using NUnit.Framework;
using ScoutFs.Cluster.Quorum;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Offline;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Quorum;

/// <summary>Three to five members elect over a network that loses, repeats and reorders, and crash.</summary>
/// <remarks>
/// Fault model: every message is lost with some probability, else delivered once or twice after 0 to 400 ms; sometimes
/// a member hears nobody for a while. Members crash at any effect, also between a record and what follows it, and
/// start again with their block as it is. A server that starts fences the leaders that the blocks show, which kills
/// them, and serves after a while; it also fails to start now and then.
/// </remarks>
internal sealed class QuorumElectionTests
{
    [Test]
    public void Election_AnyFaults_HasOneLeaderATerm([Range(1, 100)] int seed) => new World((ulong)seed).Run();

    private sealed class World
    {
        private readonly Prng _prng;
        private readonly List<Node> _nodes = [];
        private readonly PriorityQueue<(int To, QuorumMessage Message), (TimeSpan At, long Order)> _network = new();
        private readonly Dictionary<ulong, (int Slot, ulong Rid)> _leaders = [];
        private readonly int _lossPercent;
        private readonly int _delayMs;
        private TimeSpan _now = TimeSpan.FromSeconds(100);
        private long _order;
        private ulong _lastRid;
        private bool _isCalm;

        public World(ulong seed)
        {
            _prng = new Prng(seed);
            _lossPercent = _prng.NextInt32(50);
            _delayMs = 20 << (2 * _prng.NextInt32(3));
            int count = _prng.NextInt32(2) == 0 ? 3 : 5;
            for (int slot = 0; slot < count; slot++)
                _nodes.Add(new Node(slot));
        }

        private ushort Slots => (ushort)((1 << _nodes.Count) - 1);

        public void Run()
        {
            foreach (var node in _nodes)
                Start(node);
            RunFor(TimeSpan.FromSeconds(120));

            // Once the network is well and nobody crashes, somebody leads and goes on leading.
            _isCalm = true;
            for (int round = 0; round < 2; round++)
            {
                // The first leader may still have to fence somebody, who then starts once more.
                foreach (var node in _nodes.Where(node => node.Member is null || node.Member.IsEnded))
                    Start(node);
                RunFor(TimeSpan.FromSeconds(40));
            }

            var serving = _nodes.Where(node => node.Server == LeaderServerStatus.Up).ToArray();
            Assert.That(serving, Has.Length.EqualTo(1));
            ulong term = serving[0].Member!.Term;
            RunFor(TimeSpan.FromSeconds(30));
            Assert.That(serving[0].Server, Is.EqualTo(LeaderServerStatus.Up));
            Assert.That(_nodes.Select(node => node.Member!.Term), Is.All.EqualTo(term));
        }

        private void RunFor(TimeSpan time)
        {
            var end = _now + time;
            while (_now < end)
            {
                var next = end;
                if (_network.TryPeek(out _, out var first))
                    next = Min(next, first.At);
                foreach (var node in _nodes)
                {
                    if (node.Member is { IsEnded: false })
                        next = Min(next, node.Member.Deadline + TimeSpan.FromMilliseconds(1));
                    if (node.Server is LeaderServerStatus.Starting or LeaderServerStatus.Stopping)
                        next = Min(next, node.ServerChangesAt);
                }

                _now = next > _now ? next : _now + TimeSpan.FromMilliseconds(1);
                while (_network.TryPeek(out var sent, out var at) && at.At <= _now)
                {
                    _network.Dequeue();
                    if (_nodes[sent.To].DeafUntil <= _now)
                        Step(_nodes[sent.To], sent.Message);
                }

                foreach (var node in _nodes)
                {
                    ChangeServer(node);
                    if (node.Member is { IsEnded: false } && node.Member.Deadline < _now)
                        Step(node, null);
                }

                if (!_isCalm)
                    Disturb();
                Check();
            }
        }

        private static TimeSpan Min(TimeSpan left, TimeSpan right) => left < right ? left : right;

        private void Disturb()
        {
            var node = _nodes[_prng.NextInt32(_nodes.Count)];
            switch (_prng.NextInt32(400))
            {
                case 0:
                    Crash(node);
                    break;
                case < 4 when node.Member is null || node.Member.IsEnded:
                    Start(node);
                    break;
                case 4:
                    node.DeafUntil = _now + TimeSpan.FromMilliseconds(_prng.NextInt32(8000));
                    break;
                case 5 when node.Member is { IsEnded: false }:
                    Do(node, effects => node.Member.Leave(node.Server, effects));
                    break;
                case 6 when node.Server == LeaderServerStatus.Up:
                    node.StopServer(_now);
                    break;
            }
        }

        private void Start(Node node)
        {
            Crash(node);
            node.Rid = ++_lastRid;
            node.Member = new QuorumMember(
                node.Slot, Slots, TimeSpan.FromSeconds(2), _prng.Fork($"member {node.Rid}"));
            Do(node, effects => node.Member.Start(Snapshot(), _now, effects));
        }

        private static void Crash(Node node)
        {
            node.Member = null;
            node.Server = LeaderServerStatus.Down;
        }

        private QuorumSnapshot Snapshot() =>
            new([.. _nodes.Select(node => (new QuorumSlot(node.Slot, 1, 1), node.Block))]);

        private void Step(Node node, QuorumMessage? message)
        {
            if (node.Member is { IsEnded: false } member)
                Do(node, effects => member.Step(message, node.Server, _now, effects));
        }

        private void Do(Node node, Action<QuorumEffects> action)
        {
            var effects = new QuorumEffects();
            action(effects);
            foreach (var effect in effects.All)
            {
                if (!_isCalm && _prng.NextInt32(3000) == 0)
                {
                    Crash(node);
                    return;
                }

                Apply(node, effect);

                // A voter that forgets its vote is what DEV-4 is about.
                bool isVote = effect is { Kind: QuorumEffectKind.Send, Message: QuorumMessageKind.Vote };
                if (!_isCalm && isVote && _prng.NextInt32(4) == 0)
                {
                    Start(node);
                    return;
                }
            }
        }

        private void Apply(Node node, in QuorumEffect effect)
        {
            switch (effect.Kind)
            {
                case QuorumEffectKind.Persist:
                    node.Persist(effect);
                    if (effect.Event == QuorumEventKind.Elect)
                    {
                        Assert.That(_leaders.TryAdd(effect.Term, (node.Slot, node.Rid)), Is.True, "one a term");
                    }

                    break;
                case QuorumEffectKind.Send:
                    Send(effect.To, new QuorumMessage(effect.Message, node.Slot, effect.Term));
                    break;
                case QuorumEffectKind.StartServer:
                    Assert.That(node.Server, Is.EqualTo(LeaderServerStatus.Down));
                    node.Server = LeaderServerStatus.Starting;
                    node.ServerTerm = effect.Term;
                    node.ServerChangesAt = _now + TimeSpan.FromMilliseconds(_prng.NextInt32(1000));
                    break;
                case QuorumEffectKind.StopServer:
                    Assert.That(node.Server, Is.AnyOf(LeaderServerStatus.Starting, LeaderServerStatus.Up));
                    node.StopServer(_now + TimeSpan.FromMilliseconds(_prng.NextInt32(500)));
                    break;
            }
        }

        private void Send(int to, QuorumMessage message)
        {
            if (!_isCalm && _prng.NextInt32(100) < _lossPercent)
                return;
            int copies = !_isCalm && _prng.NextInt32(10) == 0 ? 2 : 1;
            for (int copy = 0; copy < copies; copy++)
            {
                int delayMs = _isCalm ? 1 : _prng.NextInt32(_prng.NextInt32(10) == 0 ? 400 : _delayMs);
                _network.Enqueue((to, message), (_now + TimeSpan.FromMilliseconds(delayMs), _order++));
            }
        }

        private void ChangeServer(Node node)
        {
            if (node.ServerChangesAt > _now)
                return;
            if (node.Server == LeaderServerStatus.Starting)
            {
                if (!_isCalm && _prng.NextInt32(5) == 0)
                {
                    node.Server = LeaderServerStatus.Down;
                }
                else
                {
                    foreach (var old in Snapshot().FindOldLeaders(node.Rid, node.ServerTerm))
                    {
                        foreach (var victim in _nodes.Where(victim => victim.Rid == old.Rid))
                            Crash(victim);
                    }

                    node.Server = LeaderServerStatus.Up;
                }

                Step(node, null);
            }
            else if (node.Server == LeaderServerStatus.Stopping)
            {
                node.Server = LeaderServerStatus.Down;
                Step(node, null);
            }
        }

        /// <summary>Fencing of what the blocks show is enough to keep servers apart (cluster §2.7).</summary>
        private void Check() =>
            Assert.That(_nodes.Count(node => node.Server == LeaderServerStatus.Up), Is.LessThanOrEqualTo(1));
    }

    private sealed class Node(int slot)
    {
        public QuorumBlock Block;

        public int Slot { get; } = slot;

        public ulong Rid { get; set; }

        public QuorumMember? Member { get; set; }

        public LeaderServerStatus Server { get; set; }

        public ulong ServerTerm { get; set; }

        public TimeSpan ServerChangesAt { get; set; }

        public TimeSpan DeafUntil { get; set; }

        public void StopServer(TimeSpan until)
        {
            Server = LeaderServerStatus.Stopping;
            ServerChangesAt = until;
        }

        public void Persist(in QuorumEffect effect)
        {
            Block.WriteNr = Block.WriteNr.Value + 1;
            Block.Events[(int)effect.Event] = new QuorumEvent
            {
                WriteNr = Block.WriteNr,
                Rid = Rid,
                Term = effect.Term,
            };
        }
    }
}
