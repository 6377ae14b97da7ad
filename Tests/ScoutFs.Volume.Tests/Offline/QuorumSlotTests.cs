using NUnit.Framework;
using ScoutFs.Volume.Offline;

namespace ScoutFs.Volume.Tests.Offline;

public sealed class QuorumSlotTests
{
    [TestCase("127.0.0.1", 0x7f000001U)]
    [TestCase("10.20.30.40", 0x0a141e28U)]
    [TestCase("255.255.255.255", 0xffffffffU)]
    [TestCase("001.002.003.004", 0x01020304U)]
    public void TryParseAddress_DottedDecimal_IsRead(string text, uint expected)
    {
        Assert.That(QuorumSlot.TryParseAddress(text, out uint address), Is.True);
        Assert.That(address, Is.EqualTo(expected));
    }

    [TestCase("")]
    [TestCase("1")]
    [TestCase("127.1")]
    [TestCase("1.2.3.4.5")]
    [TestCase("1.2.3.256")]
    [TestCase("1.2.3.-4")]
    [TestCase("1.2.3.0x4")]
    [TestCase("1.2.3. 4")]
    [TestCase("1..3.4")]
    [TestCase("::1")]
    [TestCase("localhost")]
    public void TryParseAddress_AnythingElse_IsRefused(string text) =>
        Assert.That(QuorumSlot.TryParseAddress(text, out _), Is.False);

    [Test]
    public void ToString_Slot_HasNotationOfTheTools() =>
        Assert.That(new QuorumSlot(1, 0x0a000002, 5000).ToString(), Is.EqualTo("1: 10.0.0.2:5000"));
}
