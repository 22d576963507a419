"""The admission webhook: refuses claims and classes whose parameters no driver could use."""
