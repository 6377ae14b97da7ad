using System.Collections.Generic;
using NUnit.Framework;
using ScoutFs.Cluster.Leader;
using ScoutFs.Volume.Format;

namespace ScoutFs.Cluster.Tests.Leader;

/// <summary>Fan-out and OR of the open map (cluster §8).</summary>
internal sealed class OpenMapServiceTests : IOpenMapPort
{
    private readonly List<string> _lines = [];
    private OpenMapService _service = null!;

    public void AskOpenInodes(ulong rid, in WireOpenInoArgs args) =>
        _lines.Add($"ask {rid} group {args.Group.Value} search {args.RequestId.Value}");

    public void AnswerOpenInodes(ulong rid, ulong requestId, in WireOpenInoMap map) =>
        _lines.Add($"answer {rid} #{requestId} group {map.Args.Group.Value} bits {map.Bits[0]}");

    [SetUp]
    public void CreateService()
    {
        _lines.Clear();
        _service = new OpenMapService(this);
        _service.Add(1);
        _service.Add(2);
        _service.Add(3);
    }

    [Test]
    public void Request_OthersExist_AsksThemAndAnswersTheOr()
    {
        _service.Request(2, 50, group: 11);
        Assert.That(_lines, Is.EqualTo(new[] { "ask 1 group 11 search 1", "ask 3 group 11 search 1" }));
        _lines.Clear();
        Answer(3, search: 1, bits: 4);
        Answer(3, search: 1, bits: 8);
        Answer(2, search: 1, bits: 16);
        Answer(1, search: 9, bits: 32);
        Assert.That(_lines, Is.Empty);
        Answer(1, search: 1, bits: 1);
        Assert.That(_lines, Is.EqualTo(new[] { "answer 2 #50 group 11 bits 5" }));
        Answer(1, search: 1, bits: 1);
        Assert.That(_lines, Has.Count.EqualTo(1));
    }

    [Test]
    public void Request_NobodyElse_IsAnsweredAtOnce()
    {
        _service.Remove(1);
        _service.Remove(3);
        _service.Request(2, 50, group: 11);
        Assert.That(_lines, Is.EqualTo(new[] { "answer 2 #50 group 11 bits 0" }));
    }

    [Test]
    public void Remove_MountThatOwesAnAnswer_EndsTheWaiting()
    {
        // H-52.
        _service.Request(2, 50, group: 11);
        _service.Request(3, 60, group: 11);
        Answer(3, search: 1, bits: 2);
        Answer(2, search: 2, bits: 4);
        _lines.Clear();
        _service.Remove(1);
        _service.Remove(1);
        _service.Remove(99);
        Assert.That(_lines, Is.EqualTo(new[] { "answer 2 #50 group 11 bits 2", "answer 3 #60 group 11 bits 4" }));
    }

    [Test]
    public void Remove_MountThatAsked_ForgetsItsRequest()
    {
        _service.Request(2, 50, group: 11);
        _service.Remove(2);
        Assert.That(_service.CountSearches, Is.Zero);
        _lines.Clear();
        Answer(1, search: 1, bits: 2);
        Answer(3, search: 1, bits: 2);
        Assert.That(_lines, Is.Empty);
    }

    [Test]
    public void Request_BeforeAllHaveGreeted_WaitsForTheRelease()
    {
        _service.Hold();
        _service.Request(2, 50, group: 11);
        _service.Request(3, 60, group: 12);
        _service.Remove(3);
        Assert.That(_lines, Is.Empty);
        _service.Release();
        Assert.That(_lines, Is.EqualTo(new[] { "ask 1 group 11 search 1" }));
    }

    private void Answer(ulong rid, ulong search, byte bits)
    {
        var map = new WireOpenInoMap { Args = new WireOpenInoArgs { Group = 11, RequestId = search } };
        map.Bits[0] = bits;
        _service.OnAnswer(rid, map);
    }
}
