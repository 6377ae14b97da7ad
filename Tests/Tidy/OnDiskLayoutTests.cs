using System;
using System.Collections.Generic;
using System.Linq;
using System.Runtime.InteropServices;
using NUnit.Framework;
using ScoutFs.Volume.Format;
using ScoutFs.Volume.Primitives;

namespace ScoutFs.Tidy;

/// <summary>Every on-disk struct lies in memory exactly as its attributes, and so FORMAT.md, say.</summary>
public sealed class OnDiskLayoutTests
{
    private static IEnumerable<TestCaseData> Structs
        => OnDiskStruct.All.Select(layout => new TestCaseData(layout).SetArgDisplayNames(layout.Type.Name));

    [Test]
    public void Structs_Engine_AreFound() => Assert.That(OnDiskStruct.All, Has.Count.GreaterThan(20));

    [TestCaseSource(nameof(Structs))]
    public void Layout_Struct_IsAsDeclared(OnDiskStruct layout)
        => Assert.That(layout.Faults(), Is.Empty, string.Join(Environment.NewLine, layout.Faults()));

    [TestCase(typeof(WrongSize), "WrongSize: 8 bytes, declared are 12")]
    [TestCase(typeof(WrongOffset), "WrongOffset.B: at 4, declared is 8")]
    [TestCase(typeof(NoOffset), "NoOffset.A: has no At attribute")]
    [TestCase(typeof(NotPacked), "NotPacked: needs StructLayout(LayoutKind.Sequential, Pack = 1)")]
    [TestCase(typeof(HostOrder), "HostOrder.A: UInt32 depends on the host")]
    [TestCase(typeof(Hole), "Hole: fields end at 4, the struct at 8")]
    public void Faults_BrokenStruct_AreNamed(Type type, string expected)
        => Assert.That(new OnDiskStruct(type).Faults(), Has.Some.StartsWith(expected));

#pragma warning disable CS0649 // Only the layout of these structs matters; nothing assigns them.
    [OnDisk(12)]
    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    private struct WrongSize
    {
        [At(0)]
        public Le64 A;
    }

    [OnDisk(12)]
    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    private struct WrongOffset
    {
        [At(0)]
        public Le32 A;

        [At(8)]
        public Le64 B;
    }

    [OnDisk(8)]
    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    private struct NoOffset
    {
        public Le64 A;
    }

    [OnDisk(8)]
    private struct NotPacked
    {
        [At(0)]
        public Le64 A;
    }

    [OnDisk(4)]
    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    private struct HostOrder
    {
        [At(0)]
        public uint A;
    }

    [OnDisk(8)]
    [StructLayout(LayoutKind.Sequential, Pack = 1, Size = 8)]
    private struct Hole
    {
        [At(0)]
        public Le32 A;
    }
#pragma warning restore CS0649
}
