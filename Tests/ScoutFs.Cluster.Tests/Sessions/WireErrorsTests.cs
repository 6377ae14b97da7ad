using NUnit.Framework;
using ScoutFs.Cluster.Sessions;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Cluster.Tests.Sessions;

/// <summary>The error byte of frames.</summary>
internal sealed class WireErrorsTests
{
    [TestCase(FsError.None, 0)]
    [TestCase(FsError.NotFound, 1)]
    [TestCase(FsError.NoBuffers, 2)]
    [TestCase(FsError.Io, 3)]
    [TestCase(FsError.NoSpace, 4)]
    [TestCase(FsError.Invalid, 5)]
    [TestCase(FsError.Isolated, 6)]
    public void ErrorByte_OfTheWireTable_TranslatesBothWays(FsError error, int wire)
    {
        Assert.That(WireErrors.ToWire(error), Is.EqualTo(wire));
        Assert.That(WireErrors.FromWire((byte)wire), Is.EqualTo(error));
    }

    [Test]
    public void ErrorByte_UnknownEitherWay_IsInvalid()
    {
        Assert.That(WireErrors.ToWire(FsError.Exists), Is.EqualTo(5));
        Assert.That(WireErrors.FromWire(234), Is.EqualTo(FsError.Invalid));
    }
}
