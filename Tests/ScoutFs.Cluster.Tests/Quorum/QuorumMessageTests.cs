using System;
using NUnit.Framework;
using ScoutFs.Cluster.Quorum;

namespace ScoutFs.Cluster.Tests.Quorum;

/// <summary>The vectors of cluster appendix B.</summary>
internal sealed class QuorumMessageTests
{
    private const ulong Fsid = 0x6b2dccd04505e569;

    [TestCase(QuorumMessageKind.Heartbeat, 1, "02010000", "5a4c95da")]
    [TestCase(QuorumMessageKind.Resignation, 1, "03010000", "e2e6d007")]
    [TestCase(QuorumMessageKind.RequestVote, 1, "00010000", "db6ff265")]
    [TestCase(QuorumMessageKind.Vote, 2, "01020000", "10059952")]
    public void Write_Message_GivesTheBytesOfTheVector(QuorumMessageKind kind, int from, string middle, string crc)
    {
        byte[] bytes = new byte[QuorumMessage.WireBytes];
        var message = new QuorumMessage(kind, from, Term: 3);
        message.Write(bytes, Fsid);
        Assert.That(
            Convert.ToHexString(bytes),
            Is.EqualTo(("69e50545d0cc2d6b00000000000000000300000000000000" + middle + crc).ToUpperInvariant()));
        Assert.That(QuorumMessage.TryRead(bytes, Fsid, 0b111, out var read), Is.True);
        Assert.That(read, Is.EqualTo(message));
    }

    [Test]
    public void TryRead_ForeignOrDamaged_IsRefused()
    {
        byte[] bytes = new byte[QuorumMessage.WireBytes];
        new QuorumMessage(QuorumMessageKind.Heartbeat, 1, Term: 3).Write(bytes, Fsid);
        Assert.That(QuorumMessage.TryRead(bytes, Fsid + 1, 0b111, out _), Is.False);
        Assert.That(QuorumMessage.TryRead(bytes, Fsid, 0b101, out _), Is.False);
        Assert.That(QuorumMessage.TryRead(bytes.AsSpan(1), Fsid, 0b111, out _), Is.False);
        for (int at = 0; at < bytes.Length; at++)
        {
            bytes[at] ^= 1;
            Assert.That(QuorumMessage.TryRead(bytes, Fsid, 0b111, out _), Is.False);
            bytes[at] ^= 1;
        }

        new QuorumMessage((QuorumMessageKind)4, 1, Term: 3).Write(bytes, Fsid);
        Assert.That(QuorumMessage.TryRead(bytes, Fsid, 0b111, out _), Is.False);
        new QuorumMessage(QuorumMessageKind.Vote, 15, Term: 3).Write(bytes, Fsid);
        Assert.That(QuorumMessage.TryRead(bytes, Fsid, 0xffff, out _), Is.False);
    }
}
